"""Results in Redis, followed only where somebody waits for one."""

from __future__ import annotations

from typing import Any

from celery import states
from celery.backends.redis import RedisBackend
from kombu.utils.encoding import bytes_to_str


class Backend(RedisBackend):
    """Celery's Redis backend, without a subscription for every task that is published.

    Celery subscribes at ``.delay()`` already: two round trips more for each call, a channel for as long as its result
    object lives and, while Redis is away, 20 seconds until a RuntimeError that tells to restart the application.
    ``.get()`` subscribes by itself.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing yet."""

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        """Store a result; Celery reads the old one before, so that no late failure replaces a success.

        A success needs no such look: that is a round trip less for every task that ends well.
        """
        if state != states.SUCCESS:
            return super()._store_result(task_id, result, state, traceback=traceback, request=request, **kwargs)
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = bytes_to_str(task_id)
        self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        return result
