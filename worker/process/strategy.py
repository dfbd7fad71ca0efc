"""What the worker does with a message before it becomes a task: no ETA is held in memory, no value gets into events."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.state import successful_requests
from celery.worker.strategy import default as celery_default
from structlog.contextvars import bound_contextvars

from worker.account_and_lane import LANES, TASK_PREFIX, Place, place_in, taken
from worker.accounts.lookup import DEFAULT
from worker.calls import moment_of
from worker.message_headers import DELIVERY, ETA, EXPIRES, HEADER
from worker.process import unreadable
from worker.process.left_behind import LeftBehind
from worker.process.state import left_behind
from worker.redis.patience import waits_for_redis
from worker.telemetry.masking import HIDDEN, hide_arguments, mask_values


def default(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Any:
    """Return Celery's strategy for a task, which first puts the headers of a message right."""
    handler = celery_default(task, app, consumer, **kwargs)
    logs_tasks = logging.getLogger(celery_default.__module__).isEnabledFor(logging.INFO)

    def prepared(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **options: Any) -> Any:
        headers = message.headers
        if body is not None or not headers.get("id") or not isinstance(headers["id"], str):
            # A body that has been read by now is of the first protocol, which puts people's data into events and logs.
            raise InvalidTaskError("it has no id, or uses Celery's first protocol")
        unreadable.check_message(message)
        if headers.get("redelivered"):
            # Celery would pass over what it knows to have succeeded here. If it comes again all the same, Redis has
            # forgotten its end, and what it published then: a crash can cost Redis the last second or two of its log.
            successful_requests.clear()
        # A foreign signature's own account and lane come as properties: its headers may be those of its group.
        headers.update(taken(dict(message.properties or {}), headers).options())
        headers[ETA] = headers[EXPIRES] = None  # ours to set
        if eta := headers.get("eta"):
            # A foreign countdown or eta: Celery would hold the message in this worker's memory until then.
            moment_of(eta)
            headers[ETA], headers["eta"] = eta, None
        if hasattr(task, "declaration") and (expires := headers.get("expires")):
            # Celery goes by this machine's clock, and only once the message is here.
            headers[EXPIRES], headers["expires"] = expires, None
        if HEADER not in headers:
            # A foreign publisher's repr of the arguments would put people's data into events and logs.
            hide_arguments(headers, show_parameters(task, message.payload[1]))
        channel = message.channel
        headers[DELIVERY] = (channel.unacked_key, channel.unacked_index_key, message.delivery_tag)
        # The thread that ran the task acknowledges it. Celery does so in its loop, which no longer turns while the
        # worker stops, and the next worker would run the task again.
        with bound_contextvars(**about(headers)) if logs_tasks else contextlib.nullcontext():
            return handler(message, body, acknowledge(message), reject, callbacks, **options)

    return prepared


def about(headers: dict[str, Any]) -> dict[str, Any]:
    """Return what is logged of a task that has arrived, besides its name and id."""
    wait = headers.get(HEADER)
    place = Place(wait.get("account"), wait.get("lane")) if isinstance(wait, dict) else place_in(headers)
    lane = {"lane": place.lane} if place.lane not in (None, LANES[0]) else {}
    return {"account": place.account or DEFAULT, **lane}


def show_parameters(task: Any, kwargs: Mapping[str, Any]) -> str:
    """Return what events show of a foreign publisher's parameters: the names that the task knows."""
    if declaration := getattr(task, "declaration", None):
        return mask_values([name for name in kwargs if name in declaration.parameters])
    kind = kwargs.get("kind")
    known = isinstance(kind, str) and f"{TASK_PREFIX}{kind}" in task.app.tasks
    return f"{{'kind': {kind!r}}}" if known else HIDDEN


def acknowledge(message: Any) -> Any:
    """Return the acknowledgement of a message. Any thread may call it; it waits while Redis is away."""

    def ack(logger: Any, errors: Any) -> None:
        if message.delivery_tag in left_behind:
            return
        try:
            waits_for_redis(message.ack)()
        except LeftBehind:
            logger.warning("A task has ended, but Redis could not record that: the task may run again.")

    return ack
