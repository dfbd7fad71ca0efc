"""From a cell, or a value of a record, to the text that stands in the request; ValueError says what is wrong.

What comes back for a text is its content, which the request quotes; for anything else it is finished JSON.
No message repeats a value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, cast

import orjson

from tasks.imports.amounts import Decimal as Mark
from tasks.imports.amounts import amount
from tasks.imports.dates import Order, date_or_time
from tasks.imports.fields import TEXTS, Field
from tasks.rules import day, moment
from worker.api.wire import codec_of

Convert = Callable[[Any], str]

_YES = frozenset((
    "true", "yes", "y", "1", "t", "on", "ja", "j", "oui",
    "si", "sí", "sim", "da", "tak", "kyllä", "wahr", "vrai", "vero",
))  # fmt: skip
_NO = frozenset((
    "false", "no", "n", "0", "f", "off", "nein", "nej",
    "nee", "non", "não", "nao", "nie", "ei", "falsch", "faux", "falso",
))  # fmt: skip
_NUMBERS = re.compile(r"(?>-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,3})?\n)*+")
_WHOLE_NUMBERS = re.compile(r"(?>-?(?:0|[1-9][0-9]{0,14})\n)*+")
_TAGS = re.compile(r"[,;|\n]")


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


def are_numbers(cells: Sequence[str], mark: str = "") -> bool:
    """Whether all cells of a column that say something are numbers as JSON has them, which it takes as they are."""
    column = "\n".join([*filter(None, cells), ""])
    return (_WHOLE_NUMBERS if mark == "decimal-comma" else _NUMBERS).fullmatch(column) is not None


def number(value: Any, mark: Mark | None = None) -> int | float:
    """A number; a text may group its digits and name a currency. ``mark`` is what stands before decimals."""
    if isinstance(value, str):
        value = amount(value, mark)
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
    raise ValueError("this is neither true nor false; write yes or no")


def point_in_time(value: Any, zone: tzinfo | None, order: Order | None = None, *, anywhere: bool = False) -> str:
    """A time with its offset, or one that is meant in ``zone``; a date alone is midnight there.

    ``anywhere``: without a zone, a date stays a date, and a time one that does not say where.
    """
    if isinstance(value, str):
        value = date_or_time(value, order)
    if anywhere and zone is None and isinstance(value, date) and getattr(value, "tzinfo", None) is None:
        return value.isoformat()
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is None:
        if zone is None:
            raise ValueError("this time has no time zone; write it with one, or say in which zone such times are meant")
        value = value.replace(tzinfo=zone)
    return moment(value)


def calendar_day(value: Any, order: Order | None = None) -> str:
    """A day, whatever time of day is told with it."""
    found = date_or_time(value, order) if isinstance(value, str) else value
    return day(found.date() if isinstance(found, datetime) else found)


def tags(value: Any) -> list[str]:
    """Words with commas or the like between them; one that holds a comma stands in quotes."""
    if not isinstance(value, str):
        return listed(value)
    if value.lstrip().startswith("["):
        return listed(value.strip())
    if '"' in value:
        try:
            return [each.strip() for each in next(csv.reader([value], skipinitialspace=True)) if each.strip()]
        except csv.Error:
            raise ValueError("this is not a list of words; write it with commas between them") from None
    return [each.strip() for each in _TAGS.split(value) if each.strip()]


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
            mark = cast(Mark, field.style or None)
            return lambda value: dumped(_allowed(field, number(value, mark)))
        case "boolean":
            return lambda value: dumped(boolean(value))
        case "time":
            order, anywhere = cast(Order, field.style or None), field.annotation is Any and len(field.keys) > 1
            return lambda value: dumped(point_in_time(value, zone, order, anywhere=anywhere))
        case "day":
            order = cast(Order, field.style or None)
            return lambda value: dumped(calendar_day(value, order))
        case "list" if field.style:
            return lambda value: dumped(render([(each or str)(one) for one in tags(value)]))
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
