"""What a worker does with a signal: it stops once, within its limit, and at once when it is told so again.

Celery's own handlers fit other pools. Its cold shutdown (SIGQUIT, or Ctrl-C twice) wants to end a task from outside,
which a thread cannot be, and then waits for it with a traceback and without a limit. Its restart (SIGHUP) runs
``celery/__main__.py`` as a script, where ``python -m celery`` was meant, and waits without a limit, too. And SIGUSR1
writes every local variable of every thread into the log: people's data, and keys.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from typing import Any

from celery import bootsteps, platforms
from celery.platforms import EX_OK
from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import state

from worker.process import anew, closing
from worker.shutdown import leave, start_anew

logger = get_logger(__name__)


class Signals(bootsteps.StartStopStep):
    """A step of the worker: it takes the place of Celery's handlers, which are there by then."""

    def start(self, worker: Any) -> None:
        """Listen to signals."""
        # With a terminal that is closed, the worker ends too.
        hangup = _stop if os.isatty(1) else _restart
        platforms.signals.update(SIGTERM=_stop, SIGINT=_stop, SIGQUIT=_stop, SIGHUP=hangup, SIGUSR1=_tell)


def stop() -> None:
    """Begin to stop: take nothing more, and finish what was sent within the limit of `worker.shutdown`."""
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=EX_OK)
    state.should_stop = EX_OK  # type: ignore[assignment]


def _stop(*_: Any) -> None:
    anew.clear()
    _once()


def _restart(*_: Any) -> None:
    anew.set()
    if not closing.is_set():
        atexit.register(start_anew)
    _once()


def _once() -> None:
    if closing.is_set():
        leave("This worker was told to stop again")
    logger.warning("This worker stops; told so again, it ends at once.")
    stop()


def _tell(*_: Any) -> None:
    """Log where each thread is: the lines of code, and no value."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = [
        "".join([f"{names.get(ident, ident)}\n", *traceback.format_stack(frame)])
        for ident, frame in sys._current_frames().items()
    ]
    logger.warning("What each thread does:\n%s", "\n".join(stacks))
