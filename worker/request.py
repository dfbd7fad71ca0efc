"""A worker's view of one task, as it tells it to `inspect` and to Flower's worker page."""

from __future__ import annotations

from typing import Any

from celery.worker import request


class Request(request.Request):  # type: ignore[misc,unused-ignore]
    """Celery's request, which tells the names of parameters and no value: people's data is in them."""

    def info(self, safe: bool = False) -> Any:
        """What is told of the task, by Celery's keys."""
        return super().info(safe=True)
