"""What JSON can carry, made of what Python has: a copy in plain types, or the place of what cannot travel. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any
from uuid import UUID

#: How deep values may be nested; JSON writers give up soon after.
DEEPEST = 200
#: How many levels of a place are told, from the outermost.
TOLD = 8
#: The whole numbers that JSON readers agree on.
SMALLEST, LARGEST = -(2**63), 2**64 - 1


class NotJson(ValueError):
    """A value that JSON cannot carry: what is wrong with it and where it is. The value itself is not told."""

    def __init__(self, why: str, *place: str) -> None:
        super().__init__(why, *place)
        self.why, self.place = why, place

    def under(self, key: str) -> NotJson:
        """The same, seen from one level above."""
        return NotJson(self.why, *(key, *self.place)[:TOLD])

    def __str__(self) -> str:
        return f"parameter {'.'.join(self.place)!r} {self.why}"


def json_value(value: Any, depth: int = 0) -> Any:
    """A copy in plain types, which holds nothing of the caller's.

    Subclasses become what they are a kind of, tuples lists, decimals and NumPy's scalars numbers; dates and times ISO
    8601 text, UUIDs text, members of an enumeration their value.

    Raises:
        NotJson: it is something else, or a number or a text that JSON has no form for.

    """
    kind = type(value)
    if kind is str:
        if not value.isascii() and not _is_unicode(value):
            raise NotJson("has half of a character (a lone surrogate), which is no text")
        return value
    if value is None or kind is bool:
        return value
    if kind is int:
        if not SMALLEST <= value <= LARGEST:
            raise NotJson("is a number of more than 64 bits; give it as text")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise NotJson("is infinite or no number, which JSON has no form for; leave it out or give None")
        return value
    if depth > DEEPEST:
        raise NotJson(f"is nested deeper than {DEEPEST} levels, or holds itself")
    if kind is dict:
        return _object(value, depth + 1)
    if kind is list or isinstance(value, list | tuple):
        return _array(value, depth + 1)
    return json_value(_plainer(value), depth + 1)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    made = {}
    for key, each in value.items():
        name = key if type(key) is str and key.isascii() else _key(key)
        if type(each) is str and each.isascii():  # most are, and a call costs more than looking
            made[name] = each
            continue
        try:
            made[name] = json_value(each, depth)
        except NotJson as error:
            raise error.under(name) from None
    return made


def _array(value: Sequence[Any], depth: int) -> list[Any]:
    made = []
    for each in value:
        try:
            made.append(json_value(each, depth))
        except NotJson as error:
            raise error.under(str(len(made))) from None
    return made


def _plainer(value: Any) -> Any:
    """What a value of a less plain type says, in a plain one."""
    match value:
        case Enum():
            return value.value
        case str():
            return str.__str__(value)
        case Integral():
            return int(value)
        case Decimal() if value.is_nan():
            return math.nan
        case Decimal() | Real():
            return float(value)
        case date() | time() if value == value:  # pandas has a time that is none
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return dict(value)
    if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:
        return value.item()  # a scalar of NumPy's
    raise NotJson(f"is of the type {type(value).__name__}, which JSON cannot carry; {_instead(value)}")


def _instead(value: Any) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return "decode it, or give it in base64"
        case set() | frozenset():
            return "give a list"
    return "give text, a number, a list or a dictionary"


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str) and _is_unicode(key):
        return str.__str__(key)
    raise NotJson(f"has a key of the type {type(key).__name__}; JSON's keys are text")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
