"""Waiting for Redis: who waits how long while it is away, and what becomes of a task whose worker stops meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError

from worker.connection import AWAY
from worker.process import closing, left_behind, working

T = TypeVar("T")

#: Not Celery's: where nothing is set up for logging, as in a command, this one is heard on standard error.
logger = logging.getLogger(__name__)

#: Seconds between two tries, and for which a process that is no worker goes on trying.
PAUSE, PATIENCE = 0.25, 60.0

#: Seconds of waiting after which somebody is told, and between two sentences of one process.
UNTOLD, SILENT = 2.0, 30.0

_told = -SILENT


def patiently(step: Callable[[], T]) -> T:
    """Do a step while Redis may be away.

    A worker waits for as long as it takes: there is no other place to put a task meanwhile. Any other process has
    somebody waiting for it, and gives up after a minute with what Redis said last.

    Raises:
        LeftBehind: the worker is stopping.
        redis.ConnectionError, redis.TimeoutError: in a process that is no worker.

    """
    began = time.monotonic()
    while True:
        try:
            return step()
        except AWAY as error:
            waited = time.monotonic() - began
            if waited >= UNTOLD:
                _tell(error)
            if not working.is_set():
                if waited >= PATIENCE:
                    raise
                time.sleep(PAUSE)
            elif closing.wait(PAUSE):
                raise LeftBehind("Redis is away and the worker is stopping") from None


def _tell(error: Exception) -> None:
    """Say now and then that something waits, whoever of many threads waits."""
    global _told
    if time.monotonic() - _told >= SILENT:
        _told = time.monotonic()
        limit = "" if working.is_set() else f" for {PATIENCE:.0f} s at most"
        logger.warning("Work waits for Redis%s: %s", limit, error)


def published(publish: Callable[[], T]) -> T:
    """Publish something, waiting while Redis is away: there is no other place for it meanwhile."""

    def step() -> T:
        try:
            return publish()
        except OperationalError as error:
            if isinstance(error.__cause__, LookupError):
                raise  # kombu takes every KeyError, that of an unknown compression too, for a lost connection
            if isinstance(error.__cause__, AWAY):
                raise error.__cause__ from None
            raise redis.ConnectionError(str(error)) from None

    return patiently(step)


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
