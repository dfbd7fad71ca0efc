"""The task that stands in a tier's queue for all the calls that travel with one request.

The governor's script makes its message (sharing.lua). Nobody has called it, so it has no result, and Flower shows
the calls in its place.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.exceptions import Ignore

from worker.app import app
from worker.governor import Delivery
from worker.message_headers import DELIVERY
from worker.process.left_behind import unacknowledged_if_left
from worker.process.state import acknowledged_by_redis, closing, left_behind
from worker.telemetry.events import send_event
from worker.together.riding import ride

#: Its name, as the governor's script writes it.
TOGETHER = "klaviyo.together"


class Carrier(Task):  # type: ignore[type-arg]
    """Carries calls to Klaviyo, several in one request."""

    name = TOGETHER
    Strategy = "worker.process.strategy:default"
    Request = "worker.process.request:Request"
    acks_late = True
    ignore_result = True
    send_events = False

    def run(self) -> None:
        """Carry out one delivery."""
        request: Any = self.request
        delivery = Delivery(*getattr(request, DELIVERY))
        if closing.is_set():
            # It goes back, with everything else that the stopping worker holds.
            left_behind.add(delivery.tag)
            raise Ignore("the worker is stopping")
        with unacknowledged_if_left(request):
            if ride(self.app, request.id, delivery, send_event):
                acknowledged_by_redis.add(delivery.tag)


carrier = app.register_task(Carrier())
