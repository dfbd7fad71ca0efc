"""One run of a push at a time, on whatever machine: a lock that runs out by itself when its process has died."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import LockError

from worker.connection import AWAY, get_redis
from worker.errors import KlaviyoError
from worker.governor import PREFIX
from worker.patience import patiently

#: Seconds for which the lock holds unless it is renewed, which happens a few times within them.
HOLDS = 60.0


class Held(KlaviyoError):
    """Somebody is at it. ``own``: under the same token, so it may be a process that has died."""

    def __init__(self, account: str, stream: str, own: bool) -> None:
        super().__init__(account, stream, own)
        self.own = own

    def __str__(self) -> str:
        return f"push {self.args[1]} of account {self.args[0]} is running already: it is not started again"


@contextmanager
def held(account: str, stream: str, token: str) -> Iterator[threading.Event]:
    """Hold the lock; the event says that it was lost, by a process that was stopped for too long.

    Raises:
        Held: somebody else has it.

    """
    key = f"{PREFIX}push:{account}:{stream}"
    lock = get_redis().lock(key, timeout=HOLDS, thread_local=False)
    if not patiently(lambda: lock.acquire(blocking=False, token=token)):
        raise Held(account, stream, patiently(lambda: get_redis().get(key)) == token.encode())
    lost, over = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(HOLDS / 4):
            with contextlib.suppress(*AWAY):
                try:
                    lock.reacquire()
                except LockError:
                    lost.set()
                    return

    thread = threading.Thread(target=renew, name="push-lock", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(LockError, *AWAY):
            lock.release()
