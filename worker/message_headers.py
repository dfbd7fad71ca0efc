"""The names of the message headers that are ours, and what a delivery says by them."""

from __future__ import annotations

from typing import Any

#: Which line a task waits in. Its keys: line, spec, lane, delay, since, expires; and blindly, where the request may be
#: repeated blindly, so that its lease is claimed with the pop; together, where it may share a request with others.
HEADER = "klaviyo"

#: Where a task belongs. Both are options of a signature, too.
ACCOUNT, LANE = "klaviyo_account", "klaviyo_lane"

#: Whether a call may share a request with others. An option of a signature, too.
TOGETHER = "klaviyo_together"

#: Seconds that whatever the task begins has to wait.
COUNTDOWN = "klaviyo_countdown"

#: When the task expires, in seconds since 1970: afterwards it begins nothing.
UNTIL = "klaviyo_until"

#: Set by the worker that takes the message: Celery's ``eta`` and ``expires``, which it would see to by itself.
ETA, EXPIRES = "klaviyo_eta", "klaviyo_expires"

#: Set by the worker that takes the message: where the broker keeps it, as `worker.governor.Delivery` has it.
DELIVERY = "klaviyo_delivery"

#: Set by the worker that carries a task out: which attempt this is, from 1. It is in no message.
ATTEMPT = "klaviyo_attempt"


def delivery_of(request: Any) -> tuple[str, str, str] | None:
    """Where the broker keeps the message of a task that a worker of ours carries out; None for any other task."""
    found: tuple[str, str, str] | None = getattr(request, DELIVERY, None)
    return found


def tag_of(request: Any) -> str:
    """The tag of the delivery that is being carried out."""
    tag: str = getattr(request, DELIVERY)[-1]
    return tag
