"""A worker's view of one task, as it tells it to `inspect` and to Flower's worker page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from celery.exceptions import Retry
from celery.worker import request


class Request(request.Request):  # type: ignore[misc,unused-ignore]
    """Celery's request, which tells the names of parameters and no value: people's data is in them."""

    def info(self, safe: bool = False) -> Any:
        """What is told of the task, by Celery's keys."""
        return super().info(safe=True)

    def on_retry(self, exc_info: Any) -> None:
        """Tell Flower why the task waits. Celery looks for that one level too high, and finds its own `Retry`."""
        found = exc_info.exception
        retry = found if isinstance(found, Retry) else found.exc
        super().on_retry(SimpleNamespace(exception=retry, traceback=exc_info.traceback))
