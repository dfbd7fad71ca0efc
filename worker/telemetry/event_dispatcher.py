"""Sends the events of a worker's tasks, many at a time. An application that only publishes does not import it."""

from __future__ import annotations

from typing import Any

from celery.events.dispatcher import EventDispatcher

#: How many events are kept for the loop's next turn; the one that would exceed this sends them all.
MAX_EVENTS_KEPT = 1_000


class Dispatcher(EventDispatcher):  # type: ignore[misc,unused-ignore]
    """Celery's, with room for all events until the worker's loop sends them (`worker.process.bootstep`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"buffer_limit": MAX_EVENTS_KEPT, **kwargs})

    def send(self, type: str, *args: Any, **fields: Any) -> Any:
        """Send an event, or keep it until Redis is back.

        Celery has a heartbeat tried again without an end, in the loop that would notice that the connection is lost.
        """
        return super().send(type, *args, **{**fields, "retry": False})
