"""The worker's pool of threads, which can grow and shrink while it runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click
from billiard.einfo import ExceptionInfo
from celery.concurrency import get_implementation, thread
from celery.concurrency.base import apply_target
from celery.utils.log import get_logger
from click.core import ParameterSource

from worker.process.ending import Finisher
from worker.telemetry.result_summary import current_summary, forget_summary

logger = get_logger(__name__)


#: Pools whose option and module have different names.
_NAMES = {"prefork": "processes"}


class TaskPool(thread.TaskPool):
    """Celery's pool of threads, with remote control's `pool_grow` and `pool_shrink`; it learns of every task's end.

    Celery adapts the prefetch to the pool's limit, and the governor releases no more than fits into it. So surplus
    threads stay idle, and none has to be ended to keep the limit.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # At DEBUG, Celery's pool logs the first thousand characters of every call.
        logging.getLogger("celery.pool").setLevel(logging.INFO)
        self.finisher = Finisher()

    def grow(self, n: int = 1) -> None:
        """Let ``n`` more tasks run at once."""
        self._limit_to(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        """Let ``n`` fewer tasks run at once. What runs already is not disturbed.

        Raises:
            ValueError: no thread would be left.

        """
        if n >= self.limit:
            raise ValueError(f"the pool has {self.limit} threads and keeps one at least")
        self._limit_to(self.limit - n)

    def on_apply(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        error_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        """Carry out a task in a thread.

        In Celery's own pool, what Celery itself raises over an unexpected message stays in the thread: the message
        would be held for ever, and occupy the place of a task.
        """

        came: list[Any] = []

        def work() -> bool:
            forget_summary()
            apply_target(target, args, kwargs, came.append, accept_callback)
            if isinstance(came[0], ExceptionInfo) or came[0][0]:
                return False
            if summary := current_summary():
                _, _, runtime = came[0]
                came[0] = (0, summary, runtime)
            return True

        def after() -> None:
            if callback is not None:
                callback(came[0])

        def run() -> None:
            try:
                self.finisher.run_task(work, after)
            except Exception:
                if came or error_callback is None:
                    raise
                error_callback(ExceptionInfo())

        return thread.ApplyResult(self.executor.submit(run))

    def on_stop(self) -> None:
        """Wait until what runs has ended and is recorded."""
        super().on_stop()
        self.finisher.stop()

    def _limit_to(self, limit: int) -> None:
        self.limit = self.executor._max_workers = limit


def see_to_pool(asked: Any) -> None:
    """End a worker that was started with another pool, with one sentence: none of our guarantees would hold.

    Tasks are finished, given back and kept on record by one process and its threads.
    """
    pool = get_implementation(asked)
    if not issubclass(pool, thread.TaskPool):
        name = pool.__module__.rpartition(".")[2]
        sys.exit(f"This worker runs threads, not {_NAMES.get(name, name)}. Leave -P out; -c says how many.")
    context = click.get_current_context(silent=True)
    # Celery takes this word, its own default, for whatever is configured.
    if pool is TaskPool and context and context.get_parameter_source("pool") is ParameterSource.COMMANDLINE:
        logger.warning("This worker runs threads, not -P prefork. Leave -P out; -c says how many.")
