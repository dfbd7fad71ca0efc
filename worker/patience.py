"""Waiting for Redis: who waits how long while it is away, and what becomes of a task whose worker stops meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from celery.exceptions import Ignore

from worker.connection import AWAY
from worker.shutdown import closing, left_behind, working

T = TypeVar("T")

#: Seconds between two tries, and for which a process that is no worker goes on trying.
PAUSE, PATIENCE = 0.25, 60.0


def patiently(step: Callable[[], T]) -> T:
    """Do a step while Redis may be away.

    A worker waits for as long as it takes: there is no other place to put a task meanwhile. Any other process has
    somebody waiting for it, and gives up after a minute with what Redis said last.

    Raises:
        LeftBehind: the worker is stopping.
        redis.ConnectionError, redis.TimeoutError: in a process that is no worker.

    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return step()
        except AWAY:
            if not working.is_set():
                if time.monotonic() >= until:
                    raise
                time.sleep(PAUSE)
            elif closing.wait(PAUSE):
                raise LeftBehind("Redis is away and the worker is stopping") from None


class LeftBehind(Ignore):
    """Nobody can say how the task went on; its message stays on record and goes back to wait by itself."""


@contextmanager
def unacknowledged_if_left(request: Any) -> Iterator[None]:
    """Keep Celery from acknowledging a task that is left behind: it would be lost."""
    try:
        yield
    except LeftBehind:
        left_behind.add(request.klaviyo_delivery[-1])
        raise
