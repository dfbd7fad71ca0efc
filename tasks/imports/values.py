"""Convert a cell, or a value of a record, to its text in the request; ValueError says what is wrong.

A text becomes its content, which the request quotes; anything else becomes finished JSON. No message repeats a value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, cast

import orjson

from tasks.imports.amounts import DecimalMark, parse_amount
from tasks.imports.dates import DayOrder, parse_date_or_time
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


def require_text(value: Any) -> str:
    """Return a text as it is."""
    if not isinstance(value, str):
        raise ValueError("this is not a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("this has characters that cannot be encoded as text") from None
    return value


def key(value: Any) -> str:
    """Return an identifier: a text, or the digits of a whole number, which most shops use."""
    if isinstance(value, Decimal):
        value = _plain_number(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else require_text(value)


def are_numbers(cells: Sequence[str], mark: str = "") -> bool:
    """Return True if all non-empty cells of a column are JSON numbers, which can be sent as they are."""
    column = "\n".join([*filter(None, cells), ""])
    return (_WHOLE_NUMBERS if mark == "decimal-comma" else _NUMBERS).fullmatch(column) is not None


def parse_number(value: Any, mark: DecimalMark | None = None) -> int | float:
    """Return a number; a text may group its digits and name a currency. ``mark``: the decimal mark."""
    if isinstance(value, str):
        value = parse_amount(value, mark)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("this is not a number; write it like 1234.5")
    if value != value or abs(value) > 1.7e308:
        raise ValueError("this is not a number that JSON can carry")
    return value


def parse_boolean(value: Any) -> bool:
    """Return True for yes, False for no."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("this is neither true nor false; write yes or no")


def point_in_time(value: Any, zone: tzinfo | None, order: DayOrder | None = None, *, anywhere: bool = False) -> str:
    """Return a time with its offset, or that of ``zone``; a date alone is midnight there.

    ``anywhere``: without a zone, a date stays a date, and a time stays one without an offset.
    """
    if isinstance(value, str):
        value = parse_date_or_time(value, order)
    if anywhere and zone is None and isinstance(value, date) and getattr(value, "tzinfo", None) is None:
        return value.isoformat()
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is None:
        if zone is None:
            raise ValueError(
                "this time has no time zone; write it with one, or give the zone of such times (--time-zone)"
            )
        value = value.replace(tzinfo=zone)
    return moment(value)


def calendar_day(value: Any, order: DayOrder | None = None) -> str:
    """Return a day, without any time of day."""
    found = parse_date_or_time(value, order) if isinstance(value, str) else value
    return day(found.date() if isinstance(found, datetime) else found)


def parse_tags(value: Any) -> list[str]:
    """Return words that are separated by commas or the like; one that contains a comma is quoted."""
    if not isinstance(value, str):
        return parse_list(value)
    if value.lstrip().startswith("["):
        return parse_list(value.strip())
    if '"' in value:
        try:
            return [each.strip() for each in next(csv.reader([value], skipinitialspace=True)) if each.strip()]
        except csv.Error:
            raise ValueError("this is not a list of words; separate them by commas") from None
    return [each.strip() for each in _TAGS.split(value) if each.strip()]


def parse_list(value: Any, one: Callable[[Any], str] = require_text) -> list[str]:
    """Return several texts: a JSON array, or texts separated by ``|``. ``one`` converts each of them."""
    if isinstance(value, str):
        value = parse_json(value) if value.startswith("[") else [each.strip() for each in value.split("|")]
    try:
        return [one(each) for each in (value if isinstance(value, list | tuple) else [None])]
    except ValueError:
        raise ValueError("this is not a list of texts; write a JSON array, or separate them by |") from None


def require_mapping(value: Any) -> Mapping[str, Any]:
    """Return an object."""
    if not isinstance(value, Mapping):
        raise ValueError("this is not an object")
    return value


def parse_json(value: str) -> Any:
    """Parse a JSON text."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError("this is not JSON") from None


def dump_json(value: Any) -> str:
    """Return a value as JSON."""
    try:
        return orjson.dumps(value, default=_plain_number, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        raise ValueError("this cannot be written as JSON") from None


def _plain_number(value: Any) -> int | float:
    """Return a decimal, as databases and Parquet give numbers, as JSON has them: whole ones stay exact."""
    if not isinstance(value, Decimal):
        raise TypeError
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)


def make_converter(
    field: Field,
    zone: tzinfo | None,
    *,
    cells: bool,
    each: Callable[[str], str] | None = None,
    identifies: bool = False,
) -> Convert | None:
    """Return how values of a field are converted; None if a cell is sent as it is.

    cells: every value is a text that is not empty. each: converts a text, or each text of a list. identifies: texts may
    be whole numbers, too.
    """
    read_text = key if identifies else require_text
    if field.form in TEXTS:
        if cells and not (field.choices or field.longest or each):
            return None
        return lambda value: _allowed(field, (each or str)(read_text(value)))
    render = codec_of(field.annotation).render
    match field.form:
        case "number":
            mark = cast(DecimalMark, field.style or None)
            return lambda value: dump_json(_allowed(field, parse_number(value, mark)))
        case "boolean":
            return lambda value: dump_json(parse_boolean(value))
        case "time":
            order, anywhere = cast(DayOrder, field.style or None), field.annotation is Any and len(field.keys) > 1
            return lambda value: dump_json(point_in_time(value, zone, order, anywhere=anywhere))
        case "day":
            order = cast(DayOrder, field.style or None)
            return lambda value: dump_json(calendar_day(value, order))
        case "list" if field.style:
            return lambda value: dump_json(render([(each or str)(one) for one in parse_tags(value)]))
        case "list":
            return lambda value: dump_json(render([(each or str)(one) for one in parse_list(value, read_text)]))
        case _:
            read = require_mapping if field.open else lambda value: value
            return lambda value: dump_json(render(read(parse_json(value) if cells else value)))


def _allowed(field: Field, value: Any) -> Any:
    if field.choices and value not in field.choices:
        raise ValueError(f"this is not one of {', '.join(map(str, field.choices))}")
    if field.longest and len(value) > field.longest:
        raise ValueError(f"this is longer than {field.longest} characters")
    return value
