"""Copies Python values into the types that JSON can carry, or says where a value that it cannot carry stands. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import orjson

#: How deeply values may be nested; JSON encoders give up soon after.
MAX_DEPTH = 200
#: How many levels of a pointer a message names, from the outermost.
MAX_POINTER_LEVELS = 8
#: The range of integers that JSON parsers agree on.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1

#: What orjson writes otherwise than we do, it refuses.
_AS_IS = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class NotJson(ValueError):
    """A value that JSON cannot carry: what is wrong with it and where it stands, without the value itself."""

    def __init__(self, why: str, *pointer: str) -> None:
        super().__init__(why, *pointer)
        self.why, self.pointer = why, pointer

    def under(self, key: str) -> NotJson:
        """The same, seen from one level above."""
        return NotJson(self.why, *(key, *self.pointer)[:MAX_POINTER_LEVELS])

    def __str__(self) -> str:
        return f"parameter {'.'.join(self.pointer)!r} {self.why}"


def json_value(value: Any) -> Any:
    """A copy in plain types that shares nothing with the original.

    Subclasses become their base type, tuples become lists, decimals and NumPy scalars numbers, dates and times ISO 8601
    strings, UUIDs strings, members of an enumeration their value.

    Raises:
        NotJson: it is of another type, or a number or a string that JSON cannot express.

    """
    try:
        written = orjson.dumps(value, option=_AS_IS)
    except TypeError:
        return _copy(value)
    # As null it writes numbers that are none, too; and it goes deeper than we do.
    if b"null" in written or written.count(b"{") + written.count(b"[") > MAX_DEPTH:
        return _copy(value)
    return orjson.loads(written)


def _copy(value: Any, depth: int = 0) -> Any:
    """The same, value by value: for values that are not plain, and to say what is wrong."""
    kind = type(value)
    if kind is str:
        if not value.isascii() and not _is_unicode(value):
            raise NotJson("has half of a character (a lone surrogate), which is not valid text")
        return value
    if value is None or kind is bool:
        return value
    if kind is int:
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise NotJson("is a number of more than 64 bits; give it as a string")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise NotJson("is infinite or not a number, which JSON cannot express; leave it out or give None")
        return value
    if depth > MAX_DEPTH:
        raise NotJson(f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if kind is dict:
        return _object(value, depth + 1)
    if kind is list or isinstance(value, list | tuple):
        return _array(value, depth + 1)
    return _copy(_to_plain(value), depth + 1)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    made = {}
    for key, each in value.items():
        name = key if type(key) is str and key.isascii() else _key(key)
        if type(each) is str and each.isascii():  # most are, and a call costs more than this check
            made[name] = each
            continue
        try:
            made[name] = _copy(each, depth)
        except NotJson as error:
            raise error.under(name) from None
    return made


def _array(value: Sequence[Any], depth: int) -> list[Any]:
    made = []
    for each in value:
        try:
            made.append(_copy(each, depth))
        except NotJson as error:
            raise error.under(str(len(made))) from None
    return made


def _to_plain(value: Any) -> Any:
    """A value of a less plain type, in a plain one."""
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
        case date() | time() if value == value:  # pandas' NaT is a date that does not equal itself
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return dict(value)
    if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:
        return value.item()  # a NumPy scalar
    raise NotJson(f"is of the type {type(value).__name__}, which JSON cannot carry; {_advice(value)}")


def _advice(value: Any) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return "decode it, or give it in base64"
        case set() | frozenset():
            return "give a list"
    return "give a string, a number, a list or a dictionary"


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str) and _is_unicode(key):
        return str.__str__(key)
    raise NotJson(f"has a key of the type {type(key).__name__}; JSON's keys are strings")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
