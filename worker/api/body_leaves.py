"""The leaves of a body: words, closed sets, and what is said of a value that is none of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from types import NoneType
from typing import Any, Literal, NamedTuple

import orjson

#: Where in a body something stands: keys and indexes.
Place = tuple[str | int, ...]

BINARY, EMPTY = "binary", "empty"
#: How the strings that have a form are read.
FORMATS: Mapping[str, Callable[[str], object]] = {
    "date-time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}

#: How many values of a closed set are told.
FEW = 15

_KINDS: Mapping[type, str] = {
    NoneType: "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array",
    dict: "an object",
}  # fmt: skip
#: The words whose values are known by their types.
PLAIN: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "object": (dict,)}
_EXPECTED = {
    "string": "a string", "integer": "an integer", "number": "a number", "boolean": "a boolean", "object": "an object",
    EMPTY: "an object without keys", "date-time": "a date and time in ISO 8601", "date": "a date in ISO 8601",
    "time": "a time in ISO 8601",
}  # fmt: skip
_SCALARS = frozenset({NoneType, bool, int, float, str})


class Problem(NamedTuple):
    """What is wrong at one place of a body, in words that do not repeat the value."""

    place: Place
    kind: Literal["missing", "unknown", "wrong"]
    said: str

    def under(self, key: str | int) -> Problem:
        """The same, seen from one level above."""
        return self._replace(place=(key, *self.place))


#: What is wrong with a value; nothing where it is fine.
Check = Callable[[Any], Sequence[Problem]]

#: A value of a closed set, where 1 is not true.
Typed = tuple[type, Any]


def typed(value: Any) -> Typed | None:
    """A value as closed sets have it; None where no closed set can."""
    return (type(value), value) if type(value) in _SCALARS else None


def word(name: str) -> Check:
    """The check of a scalar, or of what is free."""
    if name in ("any", BINARY):
        return lambda value: ()
    fits = _fitting(name)
    return lambda value: () if fits(value) else wrong(_EXPECTED[name], value)


def closed_set(values: list[Any]) -> Check:
    """The check of a value that is from a closed set."""
    known = frozenset(map(typed, values))
    return lambda value: () if typed(value) in known else _refused(f"should be {listed(values)}", value)


def wrong(expected: str, value: Any) -> Sequence[Problem]:
    """What is said of a value that should be something else."""
    kind = next((name for each, name in _KINDS.items() if isinstance(value, each)), f"a {type(value).__name__}")
    return _refused(f"should be {expected}" + ("" if kind == expected else f", not {kind}"), value)


def _refused(said: str, value: Any) -> Sequence[Problem]:
    return [Problem((), "wrong", "must not be null" if value is None else said)]


def listed(values: Iterable[Any]) -> str:
    """The values of a closed set, cut where they are many."""
    told = [repr(each) if isinstance(each, str) else orjson.dumps(each).decode() for each in values]
    if len(told) > FEW:
        return f"{', '.join(told[:FEW])} or one of {len(told) - FEW} more"
    return f"{', '.join(told[:-1])} or {told[-1]}" if len(told) > 1 else told[0]


def expected(shape: str | list[Any] | dict[str, Any]) -> str:
    """What a value of this shape is, in a word."""
    if isinstance(shape, str):
        return _EXPECTED.get(shape, shape)
    if isinstance(shape, list):
        return listed(shape)
    return "an array" if "items" in shape else "an object"


def _fitting(name: str) -> Callable[[Any], bool]:
    if name in FORMATS:
        read = FORMATS[name]
        return lambda value: isinstance(value, str) and _is_read(read, value)
    if name == "number":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name == "integer":
        return lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        )
    if name == EMPTY:
        return lambda value: isinstance(value, dict) and not value
    kinds = PLAIN[name]
    return lambda value: isinstance(value, kinds)


def _is_read(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
