"""What a signature cannot say about people and events. Pure; no message repeats a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

Params = dict[str, Any]
Check = Callable[[Params], str | None]

#: Klaviyo's limits for one event.
MAX_PROPERTIES = 400
MAX_ITEMS = 4_000
MAX_DEPTH = 10
MAX_TEXT_BYTES = 100_000
MAX_EVENTS = 1_000
EARLIEST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
MAX_EVENT_LEAD = timedelta(days=365)

#: The offsets of the westernmost and the easternmost time zone.
MIN_OFFSET, MAX_OFFSET = timedelta(hours=-12), timedelta(hours=14)

E164 = re.compile(r"\+[0-9]{8,15}")
#: One ``@`` with something on both sides, and nothing invisible such as blanks, NULs or zero-width spaces.
#: Possessive quantifiers: imports match millions of strings against it.
EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]++@[^@\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]++")
#: What identifies a person.
KNOWN = ("id", "email", "phone_number", "external_id", "_kx")
#: What identifies the profile of an event; the profile may be new.
IDENTIFIERS = ("id", "email", "phone_number", "external_id", "anonymous_id", "_kx")


def now() -> datetime:
    """Return the current time; tests replace it."""
    return datetime.now(UTC)


def new_id() -> str:
    """A unique id; tests replace it."""
    return str(uuid4())


# Formats of single values. Each function returns the value as it travels or raises ValueError.


def moment(value: Any) -> str:
    """A point in time as ISO 8601 text with an offset."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("this is not an ISO 8601 date and time") from None
    if not isinstance(value, datetime):
        raise ValueError("this is not a date and time")
    if (offset := value.utcoffset()) is None:
        raise ValueError("this time has no time zone; say datetime(..., tzinfo=timezone.utc) or end the text in 'Z'")
    require_offset(offset)
    return value.isoformat()


def require_offset(offset: timedelta) -> None:
    """Refuse an offset from UTC that no time zone has."""
    if not MIN_OFFSET <= offset <= MAX_OFFSET:
        raise ValueError("no time zone has this offset; they go from -12:00 to +14:00")


def day(value: Any) -> str:
    """A calendar day as ``YYYY-MM-DD``."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise ValueError("this is not a day; write it like 1815-12-10") from None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("this is not a day")
    return value.isoformat()


def email(value: str) -> str:
    """An email address, as far as its form can tell."""
    if not EMAIL.fullmatch(value):
        raise ValueError("this is not an email address")
    return value


def phone_number(value: str) -> str:
    """A number in E.164."""
    if not E164.fullmatch(value):
        raise ValueError("this is not a phone number in E.164 form: '+', country code, number, without blanks")
    return value


def coordinate(value: Any) -> float | str:
    """Degrees, as a number or as the text of one."""
    try:
        degrees = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        degrees = None
    if degrees is None or not -180 <= degrees <= 180:
        raise ValueError("this is not a number of degrees")
    return value  # type: ignore[no-any-return]


# Checks of a whole call: each returns a problem or None.


def given(params: Params, path: str) -> Any:
    """Return the value at a dotted path of plain names; None if there is none."""
    return value_at(params, path.split("."))


def value_at(document: Any, path: Iterable[str]) -> Any:
    """Return the value at a path of a document; None if there is none."""
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def any_of(*paths: str) -> Check:
    """At least one of these must be given."""
    ways = [path.split(".") for path in paths]

    def check(params: Params) -> str | None:
        for way in ways:  # every call passes here
            if value_at(params, way):
                return None
        return f"give at least one of {_listed(paths)}"

    return check


def one_of(*paths: str) -> Check:
    """Exactly one of these must be given."""

    def check(params: Params) -> str | None:
        found = [path for path in paths if given(params, path)]
        if len(found) == 1:
            return None
        return f"give one of {_listed(paths)}" + (f", not {len(found)} of them" if found else "")

    return check


def identified(parameter: str, *names: str) -> Check:
    """A person must be named by at least one of these identifiers."""
    return any_of(*(f"{parameter}.{name}" for name in names))


def event(params: Params) -> str | None:
    """One event within Klaviyo's limits."""
    return next(_of_event(params, ""), None)


def events(groups: Callable[[Params], Iterator[tuple[str, Any, Any]]]) -> Check:
    """Many events within Klaviyo's limits, and none of them twice: that would refuse all of them.

    ``groups`` gives, for each person: the place of the events, the person, the events.
    """

    def check(params: Params) -> str | None:
        seen: set[tuple[str, Any, Any]] = set()
        count = 0
        for place, profile, listed in groups(params):
            who = repr(sorted((profile or {}).items(), key=lambda item: item[0]))
            for number, each in enumerate(listed):
                where = f"{place}.{number}."
                if problem := next(_of_event(each, where), None):
                    return problem
                key = (who, each.get("metric"), each.get("unique_id"))
                if key[2] is not None and key in seen:
                    return f"parameter '{where}unique_id' was used before for this profile and metric"
                seen.add(key)
                count += 1
        if count > MAX_EVENTS:
            return f"{count:,} events are too many for one request; Klaviyo takes {MAX_EVENTS:,}"
        return None

    return check


def _of_event(event: Mapping[str, Any], place: str) -> Iterator[str]:
    if event.get("time") and (problem := of_time(event["time"])):
        yield f"parameter '{place}time' {problem}"
    if problem := of_properties(event.get("properties") or {}):
        yield f"parameter '{place}properties' {problem}"


def of_time(time: str) -> str | None:
    """Return what is wrong with the time of an event."""
    if EARLIEST_EVENT <= datetime.fromisoformat(time) <= now() + MAX_EVENT_LEAD:
        return None
    return "is outside of what Klaviyo keeps: the year 2000 to one year from now"


def of_properties(properties: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the properties of an event."""
    if len(properties) > MAX_PROPERTIES:
        return f"has {len(properties):,} properties; Klaviyo takes {MAX_PROPERTIES}"
    return _of_values(properties.values(), 1)


def _of_values(values: Iterable[Any], depth: int) -> str | None:
    if depth > MAX_DEPTH and values:
        return f"is nested deeper than {MAX_DEPTH} levels"
    problem = None
    for value in values:
        kind = type(value)
        if kind is str:
            # A character is at most four bytes: only long text is worth encoding.
            if len(value) * 4 > MAX_TEXT_BYTES and len(value.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
                return f"has a text of over {MAX_TEXT_BYTES:,} bytes"
        elif kind is dict:
            problem = _of_values(value.values(), depth + 1)
        elif kind is list:
            if len(value) > MAX_ITEMS:
                return f"has an array of {len(value):,} items; Klaviyo takes {MAX_ITEMS:,}"
            problem = _of_values(value, depth + 1)
        if problem:
            return problem
    return None


def _listed(paths: tuple[str, ...]) -> str:
    *most, last = (f"'{path}'" for path in paths)
    return f"{', '.join(most)} or {last}" if most else last


# What every event carries, so that sending it again does no harm.


def stamp(event: dict[str, Any], key: str | None = None) -> None:
    """Give an event the id and the time that it lacks, and the properties that Klaviyo insists on."""
    if not event.get("unique_id"):
        event["unique_id"] = key or new_id()
    if not event.get("time"):
        event["time"] = now().isoformat()
    if event.get("properties") is None:
        event["properties"] = {}


def stamp_all(events: Iterable[dict[str, Any]], key: str | None) -> None:
    """Stamp many events, each with a key of its own."""
    for number, each in enumerate(events):
        stamp(each, f"{key}-{number}" if key else None)


def edits(params: Params) -> str | None:
    """Return what to check before repeating a call that edits arrays, as editing twice differs from once; else None."""
    for person in _people(params):
        for name in ("patch_properties", "patch_identifiers"):
            edit = person.get(name) or {}
            if edit.get("append") or edit.get("unappend"):
                return "the profiles' properties: entries may have been added or taken out already"
    return None


def _people(params: Params) -> Iterator[Mapping[str, Any]]:
    yield params
    yield params.get("profile") or {}
    yield from params.get("profiles") or ()
    for each in params.get("events") or ():
        yield each.get("profile") or {}
