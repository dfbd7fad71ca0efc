"""What a worker does with a signal: it stops once, within its limit, and at once when it is told so again.

Celery's own handlers fit other pools. Its cold shutdown (SIGQUIT, or Ctrl-C twice) wants to end a task from outside,
which a thread cannot be, and then waits for it with a traceback and without a limit. Its restart (SIGHUP) runs
``celery/__main__.py`` as a script, where ``python -m celery`` was meant, and waits without a limit, too. And SIGUSR1
writes every local variable of every thread into the log: people's data, and keys.

A handler runs between any two instructions of the main thread, which may hold a lock that the handler's work takes too:
that of an event, or Celery's around the receivers of `worker_shutting_down` while a second signal comes. So a handler
only passes on what has come, and a thread of its own does what there is to do.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NoReturn

from celery import bootsteps, platforms
from celery.platforms import EX_OK
from celery.signals import worker_shutting_down
from celery.utils.log import get_logger
from celery.worker import state

from worker.process.shutdown import leave, start_anew
from worker.process.state import closing, restart_requested

logger = get_logger(__name__)


class Signals(bootsteps.StartStopStep):
    """A step of the worker: it takes the place of Celery's handlers, which are there by then."""

    def start(self, worker: Any) -> None:
        """Listen to signals."""
        # With a terminal that is closed, the worker ends too.
        hangup = _stop if os.isatty(1) else _restart
        # Unlike a `queue.Queue`, it can be put into at any instruction.
        asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=_do_what_is_asked, args=(asked,), name="signals", daemon=True).start()
        does = {"SIGTERM": _stop, "SIGINT": _stop, "SIGQUIT": _stop, "SIGHUP": hangup, "SIGUSR1": _log_stacks}
        for name, work in does.items():
            platforms.signals[name] = _passes_on(work, asked)


def _passes_on(work: Callable[[], None], asked: SimpleQueue[Callable[[], None]]) -> Callable[..., None]:
    return lambda *_: asked.put(work)


def _do_what_is_asked(asked: SimpleQueue[Callable[[], None]]) -> NoReturn:
    while True:
        asked.get()()


def stop() -> None:
    """Begin to stop: take nothing more, and finish what was sent within the limit of `worker.process.shutdown`."""
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=EX_OK)
    state.should_stop = EX_OK  # type: ignore[assignment]


def _stop() -> None:
    restart_requested.clear()
    _once()


def _restart() -> None:
    # One that was told to stop does: systemd's SendSIGHUP, for one, sends this signal after SIGTERM.
    if not closing.is_set():
        restart_requested.set()
        atexit.register(start_anew)
    _once()


def _once() -> None:
    if closing.is_set():
        leave("This worker was told to stop again")
    logger.warning("This worker stops; told so again, it ends at once.")
    stop()


def _log_stacks() -> None:
    """Log where each thread is: the lines of code, and no value."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = [
        "".join([f"{names.get(ident, ident)}\n", *traceback.format_stack(frame)])
        for ident, frame in sys._current_frames().items()
    ]
    logger.warning("What each thread does:\n%s", "\n".join(stacks))
