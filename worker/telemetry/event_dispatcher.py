"""What sends the events of a worker's tasks, many at a time. An application that only publishes does not load it."""

from __future__ import annotations

from typing import Any

from celery.events.dispatcher import EventDispatcher

#: Events of tasks that are kept until the next turn at most; whoever adds one too many sends them.
BUFFER = 1_000


class Dispatcher(EventDispatcher):  # type: ignore[misc,unused-ignore]
    """Celery's, with room for all that a worker's tasks tell until its loop sends it (`worker.process.bootstep`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"buffer_limit": BUFFER, **kwargs})
