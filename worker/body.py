"""The bodies of requests against the shapes that Klaviyo publishes for them, to the last leaf. Pure.

A package's ``bodies.json`` has the shape of each action's body, and of what several bodies have in common
(`worker.body_table` writes it). A shape is

- a word: ``string``, ``integer``, ``number``, ``boolean``; ``date-time``, ``date`` or ``time``, a string of that form;
  ``object`` and ``any``, which are free; ``empty``, an object without keys; ``binary``, a file of a form; ``#Name``,
  a shape that is told elsewhere. With ``?`` it may be null.
- a list: the closed set that the value is from.
- ``{"keys": …, "required": […]}``, ``{"items": …}`` or ``{"oneOf": […]}``; with ``"null": true`` it may be null.

Klaviyo's file closes no object, and what a GET gives may hold more than it tells: a key that is not known is refused
only among a resource's attributes and relationships, or where it looks like a misspelled one.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property, lru_cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple

import orjson

#: A shape as the table has it.
Shape = str | list[Any] | dict[str, Any]
#: ``{"shapes": {name: shape}, "bodies": {action: shape}}``.
Table = dict[str, dict[str, Shape]]
#: Where in a body something stands: keys and indexes.
Place = tuple[str | int, ...]

BINARY, EMPTY = "binary", "empty"
#: How the strings that have a form are read.
FORMATS: Mapping[str, Callable[[str], object]] = {
    "date-time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}

#: How much a key has to resemble another to be taken for a misspelling of it.
ALIKE = 0.85
#: How many values of a closed set are told.
FEW = 15

_KINDS: Mapping[type, str] = {
    NoneType: "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array",
    dict: "an object",
}  # fmt: skip
_PLAIN: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "object": (dict,)}
_EXPECTED = {
    "string": "a string", "integer": "an integer", "number": "a number", "boolean": "a boolean", "object": "an object",
    EMPTY: "an object without keys", "date-time": "a date and time in ISO 8601", "date": "a date in ISO 8601",
    "time": "a time in ISO 8601",
}  # fmt: skip


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


def check_of(package: str, action: str) -> Check | None:
    """The check of an action's body; None where the package's ``bodies.json`` does not tell of it."""
    shapes = _shapes_of(package)
    return shapes.body(action) if shapes else None


def table_of(package: str) -> Table | None:
    """A package's table; None where it has none. The package itself is not imported."""
    spec = None
    with suppress(ValueError):  # the module that was started has no spec
        spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, "bodies.json")
        if file.is_file():
            found: Table = orjson.loads(file.read_bytes())
            return found
    return None


@lru_cache
def _shapes_of(package: str) -> Shapes | None:
    table = table_of(package)
    return Shapes(table) if table else None


class _Node(NamedTuple):
    """A shape made ready: values of these very types are fine, all others have to be looked at."""

    fine: frozenset[type]
    check: Check


class Shapes:
    """The shapes of a table; each is made ready when it is first asked for."""

    def __init__(self, table: Table) -> None:
        self._named, self._bodies = table["shapes"], table["bodies"]
        self._ready: dict[str, _Node] = {}

    def body(self, action: str) -> Check | None:
        """The check of an action's body."""
        return self.node(self._bodies[action]).check if action in self._bodies else None

    def whole(self, shape: Shape) -> tuple[Shape, bool]:
        """What a shape says, and whether it may be null, wherever that is told."""
        null = False
        while isinstance(shape, str):
            null = null or shape.endswith("?")
            shape = shape.removesuffix("?")
            if not shape.startswith("#"):
                return shape, null
            shape = self._named[shape[1:]]
        if isinstance(shape, list):
            return shape, null or None in shape
        return shape, null or bool(shape.get("null"))

    def node(self, shape: Shape, *, closed: bool = False) -> _Node:
        """A shape, ready to check by. ``closed``: there are no other keys than those that it tells."""
        name = shape if isinstance(shape, str) and shape.startswith("#") and not closed else ""
        if name in self._ready:
            return self._ready[name]
        if name:  # for what is inside of itself
            self._ready[name] = _Node(frozenset(), lambda value: self._ready[name].check(value))
        made = self._made(*self.whole(shape), closed)
        if name:
            self._ready[name] = made
        return made

    def missing(self, key: str, shape: Shape) -> Iterator[Problem]:
        """What has to be given where there is nothing: the key, or what must be inside of it."""
        whole, _ = self.whole(shape)
        told: dict[str, Any] = whole if isinstance(whole, dict) else {}
        inside = {each: told["keys"][each] for each in told.get("required", ())}
        asked = {each: shape for each, shape in inside.items() if not self._is_constant(shape)}
        for each, shape in asked.items():
            for problem in self.missing(each, shape):
                yield problem.under(key)
        if not asked:
            yield Problem((key,), "missing", "is missing")

    def _is_constant(self, shape: Shape) -> bool:
        whole, _ = self.whole(shape)
        return isinstance(whole, list) and len(whole) == 1

    def _made(self, shape: Shape, null: bool, closed: bool) -> _Node:
        nothing = frozenset({NoneType} if null else ())
        if isinstance(shape, str):
            return _Node(nothing.union(_PLAIN.get(shape, ())), _nullable(_word(shape), null))
        if isinstance(shape, list):
            return _Node(nothing, _nullable(_one_of_set(shape), null))
        if "items" in shape:
            return _Node(nothing, _nullable(_array(self.node(shape["items"])), null))
        if "oneOf" in shape:
            return _Node(nothing, _nullable(Union(self, shape["oneOf"]).check, null))
        return _Node(nothing, _nullable(self._object(shape, closed), null))

    def _object(self, shape: Mapping[str, Any], closed: bool) -> Check:
        told = shape["keys"]
        is_resource = "type" in told
        keys = {
            key: self.node(each, closed=is_resource and key in ("attributes", "relationships"))
            for key, each in told.items()
        }
        required = frozenset(shape.get("required", ()))

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, dict):
                return _wrong("an object", value)
            problems: list[Problem] = []
            unknown: list[str] = []
            for key, each in value.items():
                node = keys.get(key)
                if node is None:
                    unknown.append(key)
                elif type(each) not in node.fine:
                    problems += [problem.under(key) for problem in node.check(each)]
            misspelled: set[str] = set()
            if unknown:
                absent = [key for key in keys if key not in value]
                for key in unknown:
                    near = _near(key, absent)
                    misspelled.update(near)
                    if near or closed:
                        hint = f"; did you mean {near[0]!r}?" if near else ""
                        problems.append(Problem((key,), "unknown", f"is not known{hint}"))
            if not required <= value.keys():
                for key in told:
                    if key in required and key not in value and key not in misspelled:
                        problems += self.missing(key, told[key])
            return problems

        return check


@dataclass
class Union:
    """Several shapes, of which a value has one.

    Objects are told apart by the keys that have a closed set in each of them, so that what is told of a value is what
    the shape that it means says of it.
    """

    shapes: Shapes
    alternatives: list[Shape]
    _split: dict[tuple[int, ...], str | None] = field(default_factory=dict)

    @cached_property
    def _whole(self) -> list[Shape]:
        return [self.shapes.whole(each)[0] for each in self.alternatives]

    @cached_property
    def _objects(self) -> tuple[int, ...]:
        return tuple(n for n, each in enumerate(self._whole) if isinstance(each, dict) and "keys" in each)

    @cached_property
    def _closed(self) -> list[dict[str, list[Any]]]:
        """The keys with a closed set, by alternative."""
        found = []
        for each in self._whole:
            keys = each.get("keys", {}) if isinstance(each, dict) else {}
            sets = {key: self.shapes.whole(shape)[0] for key, shape in keys.items()}
            found.append({key: values for key, values in sets.items() if isinstance(values, list)})
        return found

    def check(self, value: Any) -> Sequence[Problem]:
        """What is wrong with a value, in the eyes of the alternative that it means."""
        if self._objects and isinstance(value, dict):
            chosen, problems = self._meant(value)
        else:
            others = [n for n in range(len(self._whole)) if n not in self._objects]
            chosen = [n for n in others if _KINDS.get(type(value)) == self._expected(n)] or others
            problems = [] if chosen else _wrong("an object", value)
        if not chosen:
            return problems
        found = []
        for n in chosen:
            told = self.shapes.node(self.alternatives[n]).check(value)
            if not told:
                return ()
            found.append(told)
        if self._objects and isinstance(value, dict):
            return min(found, key=len)
        return _wrong(" or ".join(dict.fromkeys(map(self._expected, range(len(self._whole))))), value)

    def _expected(self, n: int) -> str:
        shape = self._whole[n]
        if isinstance(shape, str):
            return _EXPECTED.get(shape, shape)
        if isinstance(shape, list):
            return _values(shape)
        return "an array" if "items" in shape else "an object"

    def _meant(self, value: Mapping[str, Any]) -> tuple[Sequence[int], Sequence[Problem]]:
        """The alternatives that an object may mean; none, and why, where it cannot mean any."""
        meant = self._objects
        while key := self._telling(meant):
            if key in value:
                fitting = tuple(n for n in meant if _is_in(value[key], self._closed[n][key]))
                if not fitting:
                    permitted = dict.fromkeys(each for n in meant for each in self._closed[n][key])
                    return (), [Problem((key,), "wrong", f"should be {_values(list(permitted))}")]
            else:
                required = (self._whole[n].get("required", ()) for n in meant)  # type: ignore[union-attr]
                fitting = tuple(n for n, keys in zip(meant, required, strict=True) if key not in keys)
                if not fitting:
                    return (), [Problem((key,), "missing", "is missing")]
            if fitting == meant:
                break
            meant = fitting
        return meant, ()

    def _telling(self, among: tuple[int, ...]) -> str | None:
        """The key that tells these alternatives apart."""
        if among not in self._split:
            first, *others = (self._closed[n] for n in among)
            self._split[among] = next(
                (
                    key
                    for key, values in first.items()
                    if all(key in other for other in others) and any(other[key] != values for other in others)
                ),
                None,
            )
        return self._split[among]


def _nullable(check: Check, null: bool) -> Check:
    return (lambda value: () if value is None else check(value)) if null else check


def _wrong(expected: str, value: Any) -> Sequence[Problem]:
    if value is None:
        return [Problem((), "wrong", "must not be null")]
    kind = next((name for each, name in _KINDS.items() if isinstance(value, each)), f"a {type(value).__name__}")
    return [Problem((), "wrong", f"should be {expected}" + ("" if kind == expected else f", not {kind}"))]


def _word(word: str) -> Check:
    """The check of a scalar, or of what is free."""
    if word in ("any", BINARY):
        return lambda value: ()
    fits = _fitting(word)
    return lambda value: () if fits(value) else _wrong(_EXPECTED[word], value)


def _fitting(word: str) -> Callable[[Any], bool]:
    if word in FORMATS:
        read = FORMATS[word]
        return lambda value: isinstance(value, str) and _is_read(read, value)
    if word == "number":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if word == "integer":
        return lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        )
    if word == EMPTY:
        return lambda value: isinstance(value, dict) and not value
    kinds = _PLAIN[word]
    return lambda value: isinstance(value, kinds)


def _is_read(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _one_of_set(values: list[Any]) -> Check:
    return lambda value: () if _is_in(value, values) else _wrong(_values(values), value)


def _is_in(value: Any, values: Iterable[Any]) -> bool:
    """Whether a value is one of a closed set, where 1 is not true."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)


def _values(values: list[Any]) -> str:
    told = [orjson.dumps(each).decode() if not isinstance(each, str) else repr(each) for each in values]
    if len(told) > FEW:
        return f"{', '.join(told[:FEW])} or one of {len(told) - FEW} more"
    return f"{', '.join(told[:-1])} or {told[-1]}" if len(told) > 1 else told[0]


def _array(item: _Node) -> Check:
    fine, check_item = item

    def check(value: Any) -> Sequence[Problem]:
        if not isinstance(value, list | tuple):
            return _wrong("an array", value)
        problems: list[Problem] = []
        for index, each in enumerate(value):
            if type(each) not in fine:
                problems += [problem.under(index) for problem in check_item(each)]
        return problems

    return check


def _near(key: Any, among: list[str]) -> list[str]:
    """The key that this one is a misspelling of."""
    folded = _folded(key)
    same = [each for each in among if _folded(each) == folded]
    return same or difflib.get_close_matches(str(key), among, n=1, cutoff=ALIKE)


def _folded(key: Any) -> str:
    return "".join(filter(str.isalnum, str(key))).lower()
