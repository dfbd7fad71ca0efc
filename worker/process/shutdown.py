"""Whether this worker is stopping: what has not been sent by then goes back to wait, and it does not take for ever."""

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
    """Follow the start and the end of the worker that this process is, as Celery's signals tell of them."""
    celeryd_init.connect(_work)
    worker_init.connect(_open)
    worker_ready.connect(_keep_what_is_there)
    worker_shutting_down.connect(_close)
    worker_shutdown.connect(_closed)


def _work(**_: Any) -> None:
    # Only a process of its own is one: a worker that a test has run in its process leaves no trace there.
    working.set()


def _open(**_: Any) -> None:
    closing.clear()


def _keep_what_is_there(**_: Any) -> None:
    # It stays until the end: Python need not look through it for garbage, nor take it to pieces in half a second then.
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
    leave("A request has no answer yet and the time to stop is over")


def leave(why: str) -> None:
    """End at once, as safe as any death: what is under way stays on record with Redis and is taken up again."""
    logger.warning("%s: what is under way is left to the next worker.", why)
    logging.shutdown()
    start_anew()
    os._exit(1)


def start_anew() -> None:
    """Become a new worker, if that was asked for: the same command, in the same process."""
    if restart_requested.is_set():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
