"""Results in Redis, followed only where somebody waits for one."""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class Backend(RedisBackend):
    """Celery's Redis backend, without a subscription for every task that is published.

    Celery subscribes at ``.delay()`` already: two round trips more for each call, a channel for as long as its result
    object lives and, while Redis is away, 20 seconds until a RuntimeError that tells to restart the application.
    ``.get()`` subscribes by itself.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing yet."""
