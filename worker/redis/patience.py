"""Waiting for Redis: who waits how long while it is away.

Each method that speaks to Redis waits by itself, so that its callers need not think of that. Nothing here needs Celery:
a command that only looks at Redis starts without it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from worker.process.state import closing, working
from worker.redis.connection import AWAY

P = ParamSpec("P")
T = TypeVar("T")

#: Not Celery's: this one reaches standard error even if no logging is set up, as in a command.
logger = logging.getLogger(__name__)

#: Seconds between two tries, and seconds for which a process that is no worker keeps trying.
RETRY_PAUSE_S, CALLER_PATIENCE_S = 0.25, 60.0

#: Seconds of waiting before the first warning, and between two warnings of one process.
QUIET_AT_FIRST_S, WARNING_INTERVAL_S = 2.0, 30.0

_warned = -WARNING_INTERVAL_S

_once: ContextVar[bool] = ContextVar("once", default=False)


def waits_for_redis(method: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that asks Redis: while Redis is away, it tries again as `patiently` does."""

    @wraps(method)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        return patiently(lambda: method(*args, **kwargs))

    return waiting


@contextmanager
def asking_redis_once() -> Iterator[None]:
    """Do not wait within this block: a thread with other work, or whoever watches, learns at once what is wrong."""
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)


def patiently(ask: Callable[[], T]) -> T:
    """Ask Redis, and ask again while it is away.

    A worker waits for as long as it takes: there is no other place to put a task meanwhile. Any other process has
    somebody waiting for it, and gives up after a minute with the last error.

    Raises:
        LeftBehind: the worker is stopping.
        redis.ConnectionError, redis.TimeoutError: in a process that is no worker, and within `asking_redis_once`.

    """
    began = time.monotonic()
    while True:
        try:
            return ask()
        except AWAY as error:
            if _once.get():
                raise
            waited = time.monotonic() - began
            if waited >= QUIET_AT_FIRST_S:
                _warn(error)
            if not working.is_set():
                if waited >= CALLER_PATIENCE_S:
                    raise
                time.sleep(RETRY_PAUSE_S)
            elif closing.wait(RETRY_PAUSE_S):
                # Imported here, since only a worker needs Celery's exceptions.
                from worker.process.left_behind import LeftBehind

                raise LeftBehind("Redis is away and the worker is stopping") from None


def _warn(error: Exception) -> None:
    """Warn now and then that something is waiting, whichever of many threads it is."""
    global _warned
    if time.monotonic() - _warned >= WARNING_INTERVAL_S:
        _warned = time.monotonic()
        limit = "" if working.is_set() else f" for {CALLER_PATIENCE_S:.0f} s at most"
        logger.warning("Waiting for Redis%s: %s", limit, error)
