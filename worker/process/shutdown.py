"""The end of a worker: what has not been sent goes back to wait, and the end takes no longer than its limit."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from typing import Any

from celery.signals import celeryd_init, worker_init, worker_ready, worker_shutdown, worker_shutting_down
from celery.utils.log import get_logger

from worker.process.state import closing, restart_requested, working
from worker.settings import get_settings

logger = get_logger(__name__)

_limit: list[threading.Timer] = []


def watch() -> None:
    """Follow the start and the end of this worker by Celery's signals."""
    celeryd_init.connect(_work)
    worker_init.connect(_open)
    worker_ready.connect(_keep_what_is_there)
    worker_shutting_down.connect(_close)
    worker_shutdown.connect(_closed)


def _work(**_: Any) -> None:
    # Set by a process that is a worker and nothing else, not by a test that runs one inside itself.
    working.set()


def _open(**_: Any) -> None:
    closing.clear()


def _keep_what_is_there(**_: Any) -> None:
    # All this stays until the end: Python need not search it for garbage, nor spend half a second then on freeing it.
    if working.is_set():
        gc.freeze()


def _close(**_: Any) -> None:
    closing.set()
    if not _limit:
        # Celery itself would wait for as long as a request takes.
        timer = threading.Timer(get_settings().shutdown_seconds, _time_is_over)
        timer.daemon = True
        timer.start()
        _limit.append(timer)


def _closed(**_: Any) -> None:
    while _limit:
        _limit.pop().cancel()


def _time_is_over() -> None:
    leave("A request has no answer yet, and the time to stop is over")


def leave(why: str) -> None:
    """End at once, which is as safe as any death: Redis has a record of what is under way, and it is taken up again."""
    logger.warning("%s: what is under way is left to the next worker.", why)
    logging.shutdown()
    start_anew()
    os._exit(1)


def start_anew() -> None:
    """If a restart was requested, become a new worker: the same command in the same process."""
    if restart_requested.is_set():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
