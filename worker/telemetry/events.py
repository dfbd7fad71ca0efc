"""Task events that our code sends: under the name of the worker in which it runs, or not at all.

Flower takes every sender of task events for a worker. Where Celery is given no name it makes one up (``gen4711@host``),
and for a task in the caller's own process it uses the machine's: one worker would count as two, and the second would
seem to hold the tasks of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celery.app import events
from celery.signals import celeryd_init

if TYPE_CHECKING:
    from celery.events.dispatcher import EventDispatcher

#: The name of this worker, as soon as this process is one.
_name: list[str] = []


#: The dispatcher of the worker's consumer, while it is connected.
_through: list[EventDispatcher] = []


def speak_through(dispatcher: EventDispatcher | None) -> None:
    """Let `send_event` use this dispatcher from now on; with None, it sends nothing."""
    _through[:] = [dispatcher] if dispatcher else []


def send_event(type: str, **fields: Any) -> None:
    """If this process is a worker, send an event of a task that Celery itself does not notice."""
    for dispatcher in _through:
        dispatcher.send(type, **fields)


@celeryd_init.connect
def _named(sender: str, **_: Any) -> None:
    _name[:] = [sender]


class Events(events.Events):  # type: ignore[misc,unused-ignore]
    """Celery's `Events`, with our dispatcher. A worker's consumer makes one of its own."""

    dispatcher_cls = "worker.telemetry.event_dispatcher:Dispatcher"

    @contextmanager
    def default_dispatcher(
        self, hostname: str | None = None, enabled: bool = True, buffer_while_offline: bool = False
    ) -> Iterator[EventDispatcher]:
        """Yield a dispatcher, which sends nothing outside a worker."""
        name = next(iter(_name), None)
        with super().default_dispatcher(name, enabled and name is not None, buffer_while_offline) as dispatcher:
            yield dispatcher
