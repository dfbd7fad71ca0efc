"""One run of a push at a time, on any machine: a lock that expires by itself if its process dies."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import LockError
from redis.lock import Lock

from worker.errors import KlaviyoError
from worker.governor import KEY_PREFIX
from worker.redis.connection import AWAY, get_redis
from worker.redis.patience import waits_for_redis

#: Seconds after which the lock expires unless it is renewed; it is renewed four times within them.
LOCK_TTL_S = 60.0


class AlreadyRunning(KlaviyoError):
    """Another process runs this push. ``own``: it has the same token, so it may be one that has died."""

    def __init__(self, account: str, stream: str, own: bool) -> None:
        super().__init__(account, stream, own)
        self.own = own

    def __str__(self) -> str:
        return f"push {self.args[1]} of account {self.args[0]} is already running; it was not started again"


@waits_for_redis
def _acquire(lock: Lock, token: str) -> bytes | None:
    """Take the lock and return None or, if another process has it, the token of its holder."""
    if lock.acquire(blocking=False, token=token):
        return None
    holder: Any = get_redis().get(lock.name)
    return holder or b""


@contextmanager
def hold_lock(account: str, stream: str, token: str) -> Iterator[threading.Event]:
    """Hold the lock; the event is set when it was lost because this process was suspended for too long.

    Raises:
        AlreadyRunning: another process holds it.

    """
    key = f"{KEY_PREFIX}push:{account}:{stream}"
    lock = get_redis().lock(key, timeout=LOCK_TTL_S, thread_local=False)
    if (holder := _acquire(lock, token)) is not None:
        raise AlreadyRunning(account, stream, holder == token.encode())
    lost, over = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(LOCK_TTL_S / 4):
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
