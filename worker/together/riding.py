"""Several calls in one request, in the worker: claim, send, and end all of them in one step.

A call that succeeds and that nothing follows ends with that step: its result is stored there, and its events are sent
from here. Any other gets its outcome there, and its message goes to a worker by itself, where Celery does all that it
does at a task's end: callbacks, chains, chords, errbacks. If that worker dies, the next one finds the outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from celery import Celery, signals, states
from celery.app.task import Context
from celery.utils.log import get_logger
from celery.worker.state import revoked
from kombu.utils.encoding import bytes_to_str

from worker.account_and_lane import taken
from worker.api.jsonapi import Envelope
from worker.backoff import backoff
from worker.carrying_out import WaitingReason, count_attempts, make_call, outcome, pause_account
from worker.errors import (
    KlaviyoError,
    Malformed,
    OutcomeUnknown,
    Refused,
    SettingsError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.execution import Call, exchange, log_adopted, lost
from worker.governor import KEY_PREFIX, Arrival, Delivery, Fate, Governor, Rider, Settlement, get_governor
from worker.message_headers import DELIVERY
from worker.messages import unpacked
from worker.redis.memory import size_if_large
from worker.reminders import remind, see_to
from worker.settings import Settings, get_settings
from worker.together.dividing import Part, divided, split
from worker.together.sharing import Sharing, sharing_of

logger = get_logger(__name__)

#: Into how many parts a request is split each time that it has failed again: after five times, each of a thousand calls
#: is alone.
PARTS_PER_SPLIT = 4

#: The kind of reminder for calls that were handed over to a job, and the seconds after which somebody checks that the
#: job is open: `tasks.jobs` does.
CARRIED, HANDED_OVER_AFTER_S = "carried", 60.0

#: Calls that a job carries have no delivery from the broker.
NO_DELIVERY = Delivery(f"{KEY_PREFIX}unacked", f"{KEY_PREFIX}unacked_index", "")

#: What is logged if their messages, or the answer, are not what they should be.
ODD = "%d calls that were to share a request wait again, and each will be sent by itself."

#: Sends one task event, of a type and with fields.
SendEvent = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Passenger:
    """A call that travels with others. ``plain``: nothing follows its success."""

    rider: Rider
    call: Call
    sharing: Sharing
    headers: dict[str, Any]
    plain: bool

    def received(self) -> dict[str, Any]:
        """The fields of its events."""
        carried_over = {name: self.headers.get(name) for name in ("root_id", "parent_id", "eta", "expires")}
        shown = {"args": self.headers.get("argsrepr"), "kwargs": self.headers.get("kwargsrepr")}
        return {"uuid": self.rider.task_id, "name": self.headers["task"], "retries": 0, **shown, **carried_over}


def ride(app: Celery, carrier: str, delivery: Delivery, send_event: SendEvent) -> bool:
    """Carry out the request that has this id. Return True if its delivery has been acknowledged.

    Raises:
        LeftBehind: the worker is stopping, and Redis is away.

    """
    governor, settings = get_governor(), get_settings()
    riders = governor.board(carrier, settings.lease_ms, delivery.tag)
    if not riders:
        return False
    passengers, arrival = [], Arrival(Settlement(used=False, forget=True), [])
    try:
        # A call that a plain Celery client has revoked is known as such to this worker alone: sent by itself, it ends
        # as revoked.
        wanted = [rider for rider in riders if rider.task_id not in revoked]
        passengers = _alike(_passengers(app, wanted, delivery))
    except Exception:
        logger.exception(ODD, len(riders))
    if passengers and passengers[0].sharing.by_job:
        return _handed_over(passengers, carrier, delivery, governor, send_event)
    if passengers:
        arrival = _carried(app, passengers, carrier, delivery, governor, settings, send_event)
    adopted = governor.arrive(delivery, carrier, arrival)
    if adopted is None:
        return False
    logger.info("%d calls shared request %s.", len(riders), carrier)
    if adopted:
        log_adopted(passengers[0].call, adopted)
    return True


def _handed_over(
    passengers: Sequence[Passenger], carrier: str, delivery: Delivery, governor: Governor, send_event: SendEvent
) -> bool:
    """Hand the calls over to a job of Klaviyo's, which `tasks.jobs` opens for them."""
    _send_begun(passengers, send_event)
    # Written beforehand: if this worker dies next, another one opens the job.
    reminder = f"{CARRIED}|{carrier}"
    remind(reminder, HANDED_OVER_AFTER_S)
    if not governor.hand_over(delivery, carrier, [each.rider.task_id for each in passengers]):
        return False
    see_to([reminder])
    return True


def passengers_of(app: Celery, carrier: str) -> list[Passenger]:
    """Return the calls that a job carries, in the order of its records; none once they have ended."""
    return _passengers(app, get_governor().riders(carrier), NO_DELIVERY)


def end_with_job(
    app: Celery, passengers: Sequence[Passenger], parts: Sequence[Part], carrier: str, send_event: SendEvent
) -> None:
    """End the calls that a job has carried, each as its part says."""
    settings = get_settings()
    fates = _fates(app, passengers, parts, None, 0.0, settings, send_event)
    get_governor().arrive(NO_DELIVERY, carrier, Arrival(Settlement(used=False), fates, ttl=settings.result_expires))


def set_down(carrier: str) -> None:
    """Let all calls of a request that will not be made wait again, each by itself; none that has ended."""
    get_governor().arrive(NO_DELIVERY, carrier, Arrival(Settlement(used=False), []))


def _alike(passengers: Sequence[Passenger]) -> list[Passenger]:
    """Those of the same account and action as the first: their messages may have been tampered with."""
    return [
        each
        for each in passengers
        if each.call.account == passengers[0].call.account and each.call.declaration is passengers[0].call.declaration
    ]


def _carried(
    app: Celery,
    passengers: Sequence[Passenger],
    carrier: str,
    delivery: Delivery,
    governor: Governor,
    settings: Settings,
    send_event: SendEvent,
) -> Arrival:
    """Send the request. Return what becomes of each call."""
    first = passengers[0].call
    sharing = passengers[0].sharing
    _send_begun(passengers, send_event)
    began = time.monotonic()
    unrepeatable = [each.rider.task_id for each in passengers if not each.call.repeat.blindly]
    ends: list[Settlement] = []

    def settle(call: Call, governor: Governor, end: Settlement, envelope: Envelope | None) -> None:
        ends.append(end)

    answer: Envelope | KlaviyoError
    try:
        params = sharing.join([each.call.params for each in passengers])
        request = Call(sharing.carrier, first.account, params, carrier, delivery.tag)
        try:
            answer = exchange(request, governor, settings, settle, unrepeatable)
        except (Throttled, Unavailable, Refused, SettingsError, Malformed) as error:
            answer = error
        parts = _divided(sharing, passengers, answer, carrier, settings.max_attempts)
    except Exception:
        logger.exception(ODD, len(passengers))
        end = ends[0] if ends else Settlement(used=False, forget=True)
        return Arrival(end, [Fate(each.rider.task_id, "wait") for each in passengers])
    if isinstance(answer, Unauthorized):
        pause_account(answer)
    attempt = isinstance(answer, Unavailable)
    delay = backoff(min(each.rider.attempts for each in passengers), settings) if attempt else 0.0
    fates = _fates(app, passengers, parts, answer, time.monotonic() - began, settings, send_event)
    return Arrival(ends[0], fates, delay, attempt, settings.result_expires)


def _send_begun(passengers: Sequence[Passenger], send_event: SendEvent) -> None:
    for each in passengers:
        received = each.received()
        send_event("task-received", **received)
        send_event("task-started", uuid=received["uuid"])


def _fates(
    app: Celery,
    passengers: Sequence[Passenger],
    parts: Sequence[Part],
    answer: Envelope | KlaviyoError | None,
    seconds: float,
    settings: Settings,
    send_event: SendEvent,
) -> list[Fate]:
    """What becomes of each call; where Celery does not see it, its events are sent."""
    results = Results(app)
    fates = [_fate(each, part, answer, settings, results) for each, part in zip(passengers, parts, strict=True)]
    for each, part, fate in zip(passengers, parts, fates, strict=True):
        if fate.how != "wait":
            count_attempts(each.call, each.rider.attempts + 1)
        if fate.how == "done":
            send_event("task-succeeded", uuid=fate.task_id, result="…", runtime=seconds)
        elif fate.how == "wait":
            why = part.why or str(answer)
            send_event("task-retried", uuid=fate.task_id, exception=f"Retry({why!r})", traceback=None)
    return fates


def _divided(
    sharing: Sharing,
    passengers: Sequence[Passenger],
    answer: Envelope | KlaviyoError,
    carrier: str,
    max_attempts: int,
) -> list[Part]:
    """What the answer means for each call; after one that is about none of them, all wait again."""
    if not isinstance(answer, Throttled | Unavailable | Unauthorized):
        return divided(sharing, [(each.call.params, each.rider.share) for each in passengers], answer, carrier)
    shares = [each.rider.share for each in passengers]
    if isinstance(answer, Unavailable) and answer.sent:
        # One of them may be what Klaviyo cannot process, and the others must not fail with it: a call that has failed
        # before goes with fewer others, and makes its last attempt alone.
        again = [place for place, each in enumerate(passengers) if each.rider.attempts]
        for place, share in zip(
            again, split([shares[place] for place in again], PARTS_PER_SPLIT, carrier), strict=True
        ):
            shares[place] = share
        last = [each.rider.attempts + 2 >= max_attempts for each in passengers]
        shares = ["" if alone else share for alone, share in zip(last, shares, strict=True)]
    return [Part(share=share, why=str(answer)) for share in shares]


def _fate(
    passenger: Passenger, part: Part, answer: Envelope | KlaviyoError | None, settings: Settings, results: Results
) -> Fate:
    """What becomes of one call."""
    call, task_id = passenger.call, passenger.rider.task_id
    if part.envelope is not None:
        if size_if_large(part.envelope) and call.declaration.reads:
            # If Redis has no room for it, it waits for that, as it would by itself.
            return Fate(task_id, "wait", "")
        if passenger.plain:
            return Fate(task_id, "done", "", *results.success(passenger, part.envelope))
        return Fate(task_id, "decided", outcome(part.envelope))
    if part.error is not None:
        return Fate(task_id, "decided", outcome(part.error))
    if isinstance(answer, Unavailable):
        end = lost(call, answer)
        attempts = passenger.rider.attempts + 1
        if isinstance(end, OutcomeUnknown):
            return Fate(task_id, "decided", outcome(end))
        if attempts >= settings.max_attempts:
            own = Unavailable(call.declaration.name, call.account, answer.reason, answer.sent, attempts)
            return Fate(task_id, "decided", outcome(own))
    return Fate(task_id, "wait", part.share, *results.retry(passenger, part.why))


class Results:
    """Results as Celery's backend stores them. What all calls have in common is made once."""

    def __init__(self, app: Any) -> None:
        self._backend: Any = app.backend
        self._good: dict[str, Any] = self._backend._get_result_meta(None, states.SUCCESS, None, None)

    def success(self, passenger: Passenger, envelope: Envelope) -> tuple[str, bytes]:
        """Return the key and the value of a call's result; the key is empty if nobody wants it."""
        if passenger.headers.get("ignore_result"):
            return "", b""
        return self._stored(passenger, {**self._good, "result": envelope})

    def retry(self, passenger: Passenger, why: str) -> tuple[str, bytes]:
        """Return the same for a call that waits again."""
        reason = self._backend.encode_result(WaitingReason(why), states.RETRY)
        return self._stored(passenger, self._backend._get_result_meta(reason, states.RETRY, None, None))

    def _stored(self, passenger: Passenger, meta: dict[str, Any]) -> tuple[str, bytes]:
        headers, task_id = passenger.headers, passenger.rider.task_id
        own = {"group_id": headers.get("group"), "parent_id": headers.get("parent_id")}
        whole = {**meta, **{name: value for name, value in own.items() if value}, "task_id": task_id}
        return bytes_to_str(self._backend.get_key_for_task(task_id)), orjson.dumps(whole)


def _passengers(app: Celery, riders: Sequence[Rider], delivery: Delivery) -> list[Passenger]:
    return [each for rider in riders if (each := _passenger(app, rider, delivery))]


def _passenger(app: Celery, rider: Rider, delivery: Delivery) -> Passenger | None:
    """What a rider's message asks for; None if it cannot be carried: sent by itself, it fails with the reason."""
    try:
        headers, properties, args, kwargs, embedded = unpacked(rider.message)
        task: Any = app.tasks[headers["task"]]
        place = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag)
        context = Context({**headers, **taken(dict(properties), headers).options(), DELIVERY: place})
        sharing = sharing_of(task.declaration)
        call = make_call(task.declaration, context, args, kwargs)
    except (KlaviyoError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return Passenger(rider, call, sharing, headers, _is_plain(embedded)) if sharing else None


def _is_plain(embedded: dict[str, Any]) -> bool:
    """Whether nothing follows a task's success, and nobody listens for it in this process."""
    if any(embedded.get(name) for name in ("callbacks", "chain", "chord")):
        return False
    # The first receiver of `task_postrun` is ours (`worker.successors`).
    listeners = (*signals.task_success.receivers, *signals.task_prerun.receivers, *signals.task_postrun.receivers[1:])
    return not listeners
