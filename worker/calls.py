"""A call as Celery hands it on: with the result of the task before it, a time, and whatever options Celery has.

What speaks to Redis is loaded by the first call that does, not with the declarations of calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.api.declaration import Declaration
from worker.api.parameters import Params
from worker.api.seed_names import Alias
from worker.errors import InputError, NotConfirmed
from worker.lane_and_expiry import Expiry
from worker.message_headers import COUNTDOWN, ETA, EXPIRES, UNTIL
from worker.telemetry.masking import NO_ARGS

#: Options of Celery's ``apply_async`` that say how a message travels. A task of ours has one way.
_ROUTE = ("queue", "exchange", "exchange_type", "routing_key", "serializer", "argsrepr", "kwargsrepr", "declare")

#: Options in which a group hands over its connection, which may be another application's, to another Redis.
_CONNECTIONS = ("producer", "publisher", "connection")


def routed(options: Mapping[str, Any], queue: str, shown: str) -> dict[str, Any]:
    """The options with those that a task of ours has set: its queue, JSON, and ``shown`` in place of its parameters.

    They hold against ``task_routes`` too.
    """
    kept = {name: value for name, value in options.items() if name not in (*_ROUTE, *_CONNECTIONS)}
    ours = {name: options[name] for name in _CONNECTIONS if _is_ours(options.get(name))}
    # An empty exchange, since None would leave the place to what a route says.
    way = {"queue": queue, "exchange": "", "routing_key": queue, "serializer": "json"}
    return {**kept, **ours, **way, "argsrepr": NO_ARGS, "kwargsrepr": shown}


def _is_ours(carrier: Any) -> bool:
    if carrier is None:
        return False
    from worker.transport import Connection

    return isinstance(getattr(carrier, "connection", carrier), Connection)


def received(declaration: Declaration, args: Sequence[Any], kwargs: Mapping[str, Any], *, follows: bool) -> Params:
    """The parameters of a call, before they are checked.

    Celery puts the result of the task before it first, unless the signature is immutable. An action takes from it the
    id of the record that it tells of, where it needs an ``id`` and has none, and leaves the rest. ``follows``: there
    was a task before it.

    Raises:
        InputError: a parameter was given by position.

    """
    given = dict(kwargs)
    if not args:
        return given
    before = args[0]
    is_envelope = isinstance(before, Mapping) and "successful" in before
    if len(args) > 1 or not (follows or is_envelope):
        raise InputError(declaration.name, ["it takes keyword arguments only"])
    record = before.get("data") if is_envelope else None
    if "id" in declaration.parameters and isinstance(record, Mapping) and record.get("id"):
        aliases = [declaration.aliases.get(name) for name in given]
        if "id" not in given and not any(isinstance(each, Alias) and each.keys == ("id",) for each in aliases):
            given["id"] = record["id"]
    return given


def only(action: str, item: Any) -> Mapping[str, Any]:
    """One call's parameters, as ``map``, ``starmap`` and ``chunks`` give them: a mapping, or a list that holds one.

    Raises:
        InputError: it is neither.

    """
    found = item[0] if isinstance(item, list | tuple) and len(item) == 1 else item
    if not isinstance(found, Mapping):
        raise InputError(action, ["each call is a mapping of parameters"])
    return found


def seconds_until(action: str, countdown: float | None, eta: datetime | str | None) -> float:
    """How long a call is to wait; a time without a zone is UTC.

    Raises:
        InputError: that is no number, or no time.

    """
    try:
        if eta is not None:
            return max(0.0, (moment_of(eta) - datetime.now(UTC)).total_seconds())
        seconds = float(countdown or 0.0)
        if not math.isfinite(seconds):
            raise ValueError(countdown)
        return max(0.0, seconds)
    except (TypeError, ValueError):
        raise InputError(action, ["countdown is a number of seconds, and eta a time"]) from None


@contextmanager
def confirmed(action: str, task_id: str) -> Iterator[None]:
    """Publish a call, or say how it can be repeated.

    Raises:
        NotConfirmed: Redis has not said in time that it has it.

    """
    from kombu.exceptions import OperationalError

    from worker.redis.connection import NotNow

    try:
        yield
    except OperationalError as error:
        reason = str(error).rstrip(".")
        if not isinstance(error.__cause__, NotNow):
            # One that has answered, and is full, for example, tells itself what to do.
            reason += ". Is it up, and does KLAVIYO_REDIS_URL lead to it?"
        raise NotConfirmed(action, task_id, reason) from error.__cause__


def expiry(action: str, expires: float | timedelta | datetime | str | None) -> Expiry | None:
    """When a call expires: seconds, a timedelta, or a time, which is UTC if it has no zone.

    Raises:
        InputError: it is none of these.

    """
    if expires is None:
        return None
    try:
        if isinstance(expires, timedelta):
            return Expiry(expires.total_seconds())
        if isinstance(expires, datetime | str):
            return Expiry(moment_of(expires).timestamp(), absolute=True)
        if math.isfinite(expires):
            return Expiry(float(expires))
    except (TypeError, ValueError):
        pass
    raise InputError(action, ["expires is a number of seconds, a timedelta or a time"])


def time_to_send(action: str, countdown: float, expires: float | timedelta | datetime | None) -> None:
    """See that a call can be sent at all: after its countdown, and before it expires.

    Raises:
        InputError: it cannot, or these are no times.

    """
    seconds = seconds_until(action, countdown, None)
    if countdown and countdown < 0:
        raise InputError(action, ["countdown is a number of seconds from now, 0 or more"])
    end = expiry(action, expires)
    if end is None or not seconds:
        return
    left = end.seconds - datetime.now(UTC).timestamp() if end.absolute else end.seconds
    if left < seconds:
        why = (
            f"it would expire in {max(0.0, left):,.0f} seconds, before its countdown of {seconds:,.0f} seconds is over"
        )
        raise InputError(action, [why])


def delay_of(request: Any) -> float:
    """Return the seconds, by Redis's clock, that the task of a delivery has still to wait."""
    from worker.governor import get_governor

    if eta := request.get(ETA):
        return max(0.0, moment_of(eta).timestamp() - get_governor().now() / 1000)
    countdown = request.get(COUNTDOWN) or (request.headers or {}).get(COUNTDOWN)
    return seconds_until(str(request.get("task")), countdown, None)


def until_of(request: Any) -> float | None:
    """The moment after which what a delivery begins is not to be begun."""
    moment = request.get(UNTIL) or (request.headers or {}).get(UNTIL)
    return float(moment) if moment else None


def expiry_of(request: Any) -> Expiry | None:
    """When a delivery's task expires, where its publisher has told Celery and not us."""
    return expiry(str(request.get("task")), request.get(EXPIRES))


def moment_of(written: datetime | str) -> datetime:
    """A time as publishers write it, which is UTC if it has no zone.

    Raises:
        ValueError, TypeError: it is none.

    """
    moment = written if isinstance(written, datetime) else datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
