"""Whether this worker is stopping: what has not been sent by then goes back to wait, and it does not take for ever."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from celery.utils.log import get_logger

from worker.settings import get_settings

logger = get_logger(__name__)

#: Set in a worker process, and once it has begun to stop.
working, closing = threading.Event(), threading.Event()

#: Deliveries that this process leaves to the next worker: they must not be acknowledged.
left_behind: set[str] = set()
_limit: list[threading.Timer] = []


@worker_init.connect
def _open(**_: Any) -> None:
    working.set()
    closing.clear()


@worker_shutting_down.connect
def _close(**_: Any) -> None:
    closing.set()
    if not _limit:
        # Celery's own soft limit is for SIGQUIT only: on SIGTERM it waits for as long as a request takes.
        timer = threading.Timer(get_settings().shutdown_seconds, _leave)
        timer.daemon = True
        timer.start()
        _limit.append(timer)


@worker_shutdown.connect
def _closed(**_: Any) -> None:
    while _limit:
        _limit.pop().cancel()


def _leave() -> None:
    """End at once, as safe as any death: what is under way stays on record with Redis and is taken up again."""
    logger.warning("A request has no answer yet and the time to stop is over: its task is left to the next worker.")
    logging.shutdown()
    os._exit(1)
