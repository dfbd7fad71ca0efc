"""The leaves of a body: scalar types and closed sets, and how a value that fits neither is described. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from types import NoneType
from typing import Any, Literal, NamedTuple

import orjson

#: The way to a value in a body: keys and list indexes.
Place = tuple[str | int, ...]

BINARY, EMPTY = "binary", "empty"
#: How strings of each format are parsed.
FORMATS: Mapping[str, Callable[[str], object]] = {
    "date-time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}

#: How many values of a closed set a message lists.
MAX_VALUES_LISTED = 15

_TYPE_NAMES: Mapping[type, str] = {
    NoneType: "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array",
    dict: "an object",
}  # fmt: skip
#: The scalar types whose values are recognized by their Python types alone.
TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "object": (dict,)}
_EXPECTED = {
    "string": "a string", "integer": "an integer", "number": "a number", "boolean": "a boolean", "object": "an object",
    EMPTY: "an object without keys", "date-time": "a date and time in ISO 8601", "date": "a date in ISO 8601",
    "time": "a time in ISO 8601",
}  # fmt: skip
_SCALARS = frozenset({NoneType, bool, int, float, str})


class Problem(NamedTuple):
    """What is wrong at one place in a body, in words that do not repeat the value."""

    place: Place
    kind: Literal["missing", "unknown", "wrong"]
    message: str

    def under(self, key: str | int) -> Problem:
        """The same, seen from one level above."""
        return self._replace(place=(key, *self.place))


#: Finds what is wrong with a value; nothing if it is fine.
Check = Callable[[Any], Sequence[Problem]]

#: A value with its type, so that 1 is not True.
Typed = tuple[type, Any]


def typed(value: Any) -> Typed | None:
    """A value as closed sets compare it; None if it can be in none."""
    return (type(value), value) if type(value) in _SCALARS else None


def scalar_check(name: str) -> Check:
    """The check for a scalar type, or for a value of any type."""
    if name in ("any", BINARY):
        return lambda value: ()
    fits = _predicate(name)
    return lambda value: () if fits(value) else mismatch(_EXPECTED[name], value)


def closed_set_check(values: list[Any]) -> Check:
    """The check for a value from a closed set."""
    known = frozenset(map(typed, values))
    return lambda value: () if typed(value) in known else _refused(f"should be {list_values(values)}", value)


def mismatch(wanted: str, value: Any) -> Sequence[Problem]:
    """The problem of a value that should be something else."""
    kind = next((name for each, name in _TYPE_NAMES.items() if isinstance(value, each)), f"a {type(value).__name__}")
    return _refused(f"should be {wanted}" + ("" if kind == wanted else f", not {kind}"), value)


def _refused(message: str, value: Any) -> Sequence[Problem]:
    return [Problem((), "wrong", "must not be null" if value is None else message)]


def list_values(values: Iterable[Any]) -> str:
    """The values of a closed set in words, cut short if there are many."""
    shown = [repr(each) if isinstance(each, str) else orjson.dumps(each).decode() for each in values]
    if len(shown) > MAX_VALUES_LISTED:
        return f"{', '.join(shown[:MAX_VALUES_LISTED])} or one of {len(shown) - MAX_VALUES_LISTED} more"
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]


def describe(shape: str | list[Any] | dict[str, Any]) -> str:
    """What a value of this shape is, in a word."""
    if isinstance(shape, str):
        return _EXPECTED.get(shape, shape)
    if isinstance(shape, list):
        return list_values(shape)
    return "an array" if "items" in shape else "an object"


def _predicate(name: str) -> Callable[[Any], bool]:
    if name in FORMATS:
        read = FORMATS[name]
        return lambda value: isinstance(value, str) and _can_read(read, value)
    if name == "number":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name == "integer":
        return lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        )
    if name == EMPTY:
        return lambda value: isinstance(value, dict) and not value
    types = TYPES[name]
    return lambda value: isinstance(value, types)


def _can_read(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
