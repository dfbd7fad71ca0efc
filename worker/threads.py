"""The worker's pool of threads, which grows and shrinks while it runs."""

from __future__ import annotations

from celery.concurrency import thread


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
