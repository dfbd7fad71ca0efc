"""Klaviyo's webhooks, as your web application receives them: whether one is genuine, and which of its events are new.

Nothing here needs Celery or speaks to Klaviyo. docs/webhooks.md has routes for Starlette, FastAPI and Django.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from worker.errors import SettingsError, WebhookInProgress, WebhookRefused
from worker.governor import KEY_PREFIX
from worker.redis.connection import AWAY, get_publisher

#: Seconds by which a delivery's time may differ from ours.
TOLERANCE_S = 300.0

#: Seconds for which an event belongs to its handler (Klaviyo waits 5 for the answer), and for which a handled event is
#: remembered: Klaviyo disables a webhook that has failed for two days.
HANDLING_S, REMEMBERED_S = 60, 3 * 86_400

_HANDLED = b"handled"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event of a delivery. ``payload`` is what Klaviyo's Get Event returns: ``data``, and maybe ``included``."""

    id: str
    topic: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The content of one genuine request: up to 1,000 events of one webhook of one account."""

    webhook_id: str
    account_id: str
    events: tuple[WebhookEvent, ...]


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Iterable[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    clock: Callable[[], float] = time.time,
) -> Delivery:
    """Return the delivery in a request that is genuine and recent.

    Args:
        headers: those of the request, in upper or lower case.
        body: the bytes as they arrived; JSON that was parsed and written again has another signature.
        secret: the webhook's ``secret_key``; while you replace it, both the new and the old one.
        tolerance_s: how far the time of the request may be from ours, in seconds, before it counts as a replay.
        clock: the time now, in seconds since 1970.

    Raises:
        WebhookRefused: it is not from Klaviyo, or not recent. Answer 401, and do nothing with it.
        SettingsError: the secret is missing or empty, and anybody could sign.

    """
    given = {name.lower(): value for name, value in headers.items()}
    stamp = given.get("klaviyo-timestamp", "")
    if not _is_signed(given.get("klaviyo-signature", ""), body + stamp.encode("latin-1", "replace"), secret):
        raise WebhookRefused("its signature is missing or was not made with this secret")
    try:
        document = orjson.loads(body)
        delivery = _delivery(document)
    except (ValueError, KeyError, TypeError):
        raise WebhookRefused("its body is not that of a webhook of Klaviyo's") from None
    if given.get("klaviyo-webhook-id", delivery.webhook_id) != delivery.webhook_id:
        raise WebhookRefused("the webhook in its headers is not that in its body")
    # Both times are signed. In a recorded delivery the header was five hours ahead of the body, whose time was right;
    # and Klaviyo does not say whether a repeated delivery gets a new time in its body. So one of the two has to be
    # recent.
    times = [_seconds(stamp), _seconds(document["meta"].get("timestamp"))]
    if not any(each is not None and abs(clock() - each) <= tolerance_s for each in times):
        raise WebhookRefused(f"it was not sent within {tolerance_s:.0f} s of now: a replay, or a wrong clock here")
    return delivery


@contextmanager
def new_events(delivery: Delivery) -> Iterator[list[WebhookEvent]]:
    """Handle the events of a delivery that were not handled before, by the ids that Klaviyo gives them.

    Klaviyo repeats a delivery that is not answered with 200, 201 or 202 within 5 seconds. Once the block ends without
    an exception, its events count as handled, and nobody gets them again for three days; after an exception, the next
    delivery has them again. The application needs the workers' ``KLAVIYO_REDIS_URL``.

    While Redis is away, nothing is handled: an exception is raised within a few seconds, and Klaviyo repeats the
    delivery later. If Redis goes away while the block runs, the events are handled all the same, and that is logged:
    they could be handled twice only if Klaviyo repeated the delivery in spite of your answer.

    Raises:
        WebhookInProgress: some of these events are being handled right now, or their handler died within the last
            minute. Answer 503, so that Klaviyo repeats the delivery.
        redis.ConnectionError, redis.TimeoutError: Redis cannot be asked. Answer 503.

    """
    events = {_key(delivery, event): event for event in delivery.events}
    ours = _claim(list(events))
    try:
        yield [events[key] for key in ours]
    except BaseException:
        _release(ours)
        raise
    _remember(ours)


def _claim(keys: list[str]) -> list[str]:
    """Claim the events that nobody has handled, and return their keys.

    Raises:
        WebhookInProgress: others are handling some of them; none is claimed.

    """
    pipe = get_publisher().pipeline(transaction=True)
    for key in keys:
        pipe.get(key)
        pipe.set(key, b"", nx=True, ex=HANDLING_S)
    answers = pipe.execute()
    before = dict(zip(keys, answers[::2], strict=True))
    ours = [key for key in keys if before[key] is None]
    if any(value not in (None, _HANDLED) for value in before.values()):
        _release(ours)
        raise WebhookInProgress
    return ours


def _release(keys: list[str]) -> None:
    """Leave these events to the next delivery. While Redis is away, their claims expire by themselves."""
    try:
        if keys:
            get_publisher().delete(*keys)
    except AWAY as error:
        logger.warning("Events of a webhook cannot be handled for %d s: %s", HANDLING_S, error)


def _remember(keys: list[str]) -> None:
    pipe = get_publisher().pipeline(transaction=False)
    for key in keys:
        pipe.set(key, _HANDLED, ex=REMEMBERED_S)
    try:
        pipe.execute()
    except AWAY as error:
        logger.warning("Events of a webhook were handled, and Redis could not be told: %s", error)


def _key(delivery: Delivery, event: WebhookEvent) -> str:
    return f"{KEY_PREFIX}webhook:{delivery.webhook_id}:{event.id}"


def _is_signed(signature: str, message: bytes, secret: str | Iterable[str]) -> bool:
    """Whether one of the secrets made the signature. The time that this takes reveals nothing about either."""
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not all(secrets) or not secrets:
        raise SettingsError("the secret of the webhook is empty: set it to the secret_key that it was created with")
    expected = [hmac.new(each.encode(), message, hashlib.sha256).hexdigest().encode() for each in secrets]
    given = signature.lower().encode("utf-8", "replace")
    return any([hmac.compare_digest(each, given) for each in expected])


def _delivery(document: Any) -> Delivery:
    """Read the delivery in a body. KeyError, TypeError or ValueError: it does not have the shape of one."""
    meta, data = document["meta"], document["data"]
    events = tuple(WebhookEvent(each["external_id"], each["topic"], each["payload"]) for each in data)
    named = [meta["klaviyo_webhook_id"], *(each.id for each in events), *(each.topic for each in events)]
    if not all(isinstance(each, str) and each for each in named) or not all(
        isinstance(e.payload, dict) for e in events
    ):
        raise ValueError("an id, a topic or a payload is not one")
    return Delivery(meta["klaviyo_webhook_id"], meta.get("klaviyo_account_id", ""), events)


def _seconds(stamp: Any) -> float | None:
    """Read a time in HTTP's or ISO 8601's form, in seconds since 1970; None if it has neither form."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(stamp)
        except (ValueError, TypeError):
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None
