"""The worker's pool of threads, which grows and shrinks while it runs."""

from __future__ import annotations

import sys
from typing import Any

import click
from celery.concurrency import get_implementation, thread
from celery.utils.log import get_logger
from click.core import ParameterSource

logger = get_logger(__name__)


#: What a pool's module is called where its option has another name.
_NAMES = {"prefork": "processes"}


class TaskPool(thread.TaskPool):
    """Celery's pool of threads, with the remote control's `pool_grow` and `pool_shrink`.

    Celery adapts the prefetch to the pool's limit, and the governor releases no more than fits into it: so a thread
    too many is idle, and a limit is kept without ending any.
    """

    def grow(self, n: int = 1) -> None:
        """Let so many more tasks run at once."""
        self._limit_to(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        """Let so many fewer tasks run at once; what runs is not disturbed.

        Raises:
            ValueError: none would be left.

        """
        if n >= self.limit:
            raise ValueError(f"the pool has {self.limit} threads and keeps one at least")
        self._limit_to(self.limit - n)

    def _limit_to(self, limit: int) -> None:
        self.limit = self.executor._max_workers = limit


def see_to_pool(asked: Any) -> None:
    """End a worker that is told to run another pool, in one sentence: nothing of what it promises would hold.

    What is under way is finished, given back and kept on record by one process and its threads.
    """
    pool = get_implementation(asked)
    if not issubclass(pool, thread.TaskPool):
        name = pool.__module__.rpartition(".")[2]
        sys.exit(f"This worker runs threads, not {_NAMES.get(name, name)}. Leave -P out; -c says how many.")
    context = click.get_current_context(silent=True)
    # Celery takes this word, its own default, for whatever is configured.
    if pool is TaskPool and context and context.get_parameter_source("pool") is ParameterSource.COMMANDLINE:
        logger.warning("This worker runs threads, not -P prefork. Leave -P out; -c says how many.")
