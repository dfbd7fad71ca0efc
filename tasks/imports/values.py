"""From a cell, or a value of a record, to the text that stands in the request; ValueError says what is wrong.

What comes back for a text is its content, which the request quotes; for anything else it is finished JSON.
No message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any

import orjson

from tasks.imports.fields import TEXTS, Field
from tasks.rules import day, moment
from worker.api.wire import codec_of

Convert = Callable[[Any], str]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_YES = {"true", "yes", "1"}
_NO = {"false", "no", "0"}


def text(value: Any) -> str:
    """A text as it is."""
    if not isinstance(value, str):
        raise ValueError("this is not a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("this has characters that are no text") from None
    return value


def key(value: Any) -> str:
    """What identifies something: a text, or a whole number as most shops have it, as its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def number(value: Any) -> int | float:
    """A number, with a point if it needs one; no grouping, no currency."""
    if isinstance(value, str):
        value = value.strip()
        if _WHOLE.fullmatch(value):
            return int(value)
        if _NUMBER.fullmatch(value):
            value = float(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("this is not a number; write it like 1234.5")
    if value != value or abs(value) > 1.7e308:
        raise ValueError("this is not a number that JSON can carry")
    return value


def boolean(value: Any) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    said = value.strip().lower() if isinstance(value, str) else None
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise ValueError("this is neither true nor false")


def point_in_time(value: Any, zone: tzinfo | None) -> str:
    """A time with its offset, or one that is meant in ``zone``; a date alone is midnight there."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(
                "this is not an ISO 8601 date or time; write it like 2026-01-31 or 2026-01-31T12:00:00Z"
            ) from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is None:
        if zone is None:
            raise ValueError("this time has no time zone; write it with one, or say in which zone such times are meant")
        value = value.replace(tzinfo=zone)
    return moment(value)


def listed(value: Any, one: Callable[[Any], str] = text) -> list[str]:
    """Several texts: a JSON array, or texts with ``|`` between them. ``one`` reads each of them."""
    if isinstance(value, str):
        value = parsed(value) if value.startswith("[") else [each.strip() for each in value.split("|")]
    try:
        return [one(each) for each in (value if isinstance(value, list | tuple) else [None])]
    except ValueError:
        raise ValueError("this is not a list of texts; write it as a JSON array or with | between them") from None


def mapping(value: Any) -> Mapping[str, Any]:
    """What has names inside."""
    if not isinstance(value, Mapping):
        raise ValueError("this is not an object")
    return value


def parsed(value: str) -> Any:
    """What a JSON text says."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError("this is not JSON") from None


def dumped(value: Any) -> str:
    """The JSON of a value."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        raise ValueError("this cannot be written as JSON") from None


def converter(
    field: Field,
    zone: tzinfo | None,
    *,
    cells: bool,
    each: Callable[[str], str] | None = None,
    identifies: bool = False,
) -> Convert | None:
    """How values of a field are read; None where a cell travels as it is.

    With ``cells``, every value is a text that was not empty. ``each`` is what happens to a text, or to each of a list.
    ``identifies``: the texts may be whole numbers, too.
    """
    read_text = key if identifies else text
    if field.form in TEXTS:
        if cells and not (field.choices or field.longest or each):
            return None
        return lambda value: _allowed(field, (each or str)(read_text(value)))
    render = codec_of(field.annotation).render
    match field.form:
        case "number":
            return lambda value: dumped(_allowed(field, number(value)))
        case "boolean":
            return lambda value: dumped(boolean(value))
        case "time":
            return lambda value: dumped(point_in_time(value, zone))
        case "day":
            return lambda value: dumped(day(value))
        case "list":
            return lambda value: dumped(render([(each or str)(one) for one in listed(value, read_text)]))
        case _:
            read = mapping if field.open else lambda value: value
            return lambda value: dumped(render(read(parsed(value) if cells else value)))


def _allowed(field: Field, value: Any) -> Any:
    if field.choices and value not in field.choices:
        raise ValueError(f"this is none of {', '.join(map(str, field.choices))}")
    if field.longest and len(value) > field.longest:
        raise ValueError(f"this is over {field.longest} characters")
    return value
