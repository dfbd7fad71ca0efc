"""Task events that code of ours sends: under the name of the worker that it runs in, or not at all.

Flower takes whoever sends a task event for a worker. Celery makes a name up where it is given none (``gen4711@host``)
and takes the machine's for a task that is carried out in the caller's process: one worker would count as two, and the
second would hold tasks that the first carries out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celery.app import events
from celery.signals import celeryd_init

if TYPE_CHECKING:
    from celery.events.dispatcher import EventDispatcher

#: The name of the worker that this process is, as soon as it is one.
_name: list[str] = []


#: What its consumer sends events with, as long as it is connected.
_through: list[EventDispatcher] = []


def speak_through(dispatcher: EventDispatcher | None) -> None:
    """Send from now on what `tell` is told with this; with None, nothing."""
    _through[:] = [dispatcher] if dispatcher else []


def tell(type: str, **fields: Any) -> None:
    """Send an event of a task that Celery does not see by itself, if this process is a worker."""
    for dispatcher in _through:
        dispatcher.send(type, **fields)


@celeryd_init.connect
def _named(sender: str, **_: Any) -> None:
    _name[:] = [sender]


class Events(events.Events):  # type: ignore[misc,unused-ignore]
    """Celery's `Events` with our dispatcher; a worker's consumer makes its own dispatcher."""

    dispatcher_cls = "worker.telemetry.event_dispatcher:Dispatcher"

    @contextmanager
    def default_dispatcher(
        self, hostname: str | None = None, enabled: bool = True, buffer_while_offline: bool = False
    ) -> Iterator[EventDispatcher]:
        """Yield a dispatcher; outside of a worker it sends nothing."""
        name = next(iter(_name), None)
        with super().default_dispatcher(name, enabled and name is not None, buffer_while_offline) as dispatcher:
            yield dispatcher
