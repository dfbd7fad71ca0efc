"""The bodies of requests against the shapes that Klaviyo publishes for them, to the last leaf. Pure.

A package's ``bodies.json`` has the shape of each action's body, and of what several bodies have in common
(`worker.revision.body_table` writes it). A shape is

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import orjson

from worker.api.body_choice import Choice
from worker.api.body_leaves import PLAIN, Check, Problem, closed_set, expected, word, wrong

#: A shape as the table has it.
Shape = str | list[Any] | dict[str, Any]
#: ``{"shapes": {name: shape}, "bodies": {action: shape}}``.
Table = dict[str, dict[str, Shape]]

#: How much a key has to resemble another to be taken for a misspelling of it.
ALIKE = 0.85


@cache
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


@cache
def _shapes_of(package: str) -> Shapes | None:
    table = table_of(package)
    return Shapes(table) if table else None


class _Node(NamedTuple):
    """A shape made ready: values of these very types are fine, all others have to be looked at."""

    fine: frozenset[type]
    check: Check


class Shapes:
    """The shapes of a table, made ready to check by."""

    def __init__(self, table: Table) -> None:
        self._shapes, self._bodies = table["shapes"], table["bodies"]
        self._ready: dict[tuple[str, bool], Check] = {}

    def body(self, action: str) -> Check | None:
        """The check of an action's body."""
        return self._node(self._bodies[action]).check if action in self._bodies else None

    def whole(self, shape: Shape) -> tuple[Shape, bool]:
        """What a shape says, and whether it may be null, wherever that is told."""
        null = False
        while isinstance(shape, str):
            null = null or shape.endswith("?")
            shape = shape.removesuffix("?")
            if not shape.startswith("#"):
                return shape, null
            shape = self._shapes[shape[1:]]
        if isinstance(shape, list):
            return shape, null or None in shape
        return shape, null or bool(shape.get("null"))

    def _node(self, shape: Shape, *, closed: bool = False) -> _Node:
        """A shape, ready to check by. ``closed``: there are no other keys than those that it tells."""
        if not isinstance(shape, str) or not shape.startswith("#"):
            return self._made(*self.whole(shape), closed)
        # When it is first needed: a shape may be inside of itself, and what nobody sends need not be made ready.
        return _Node(
            frozenset({NoneType} if self.whole(shape)[1] else ()), lambda value: self._named(shape, closed)(value)
        )

    def _named(self, name: str, closed: bool) -> Check:
        """The check of a named shape. Two threads that make it at once make the same."""
        check = self._ready.get((name, closed))
        if check is None:
            check = self._ready[name, closed] = self._made(*self.whole(name), closed).check
        return check

    def _missing(self, key: str, shape: Shape) -> Iterator[Problem]:
        """What has to be given where there is nothing: the key, or what must be inside of it."""
        whole, _ = self.whole(shape)
        told: dict[str, Any] = whole if isinstance(whole, dict) else {}
        inside = {each: told["keys"][each] for each in told.get("required", ())}
        asked = {each: shape for each, shape in inside.items() if not self._is_constant(shape)}
        for each, shape in asked.items():
            for problem in self._missing(each, shape):
                yield problem.under(key)
        if not asked:
            yield Problem((key,), "missing", "is missing")

    def _is_constant(self, shape: Shape) -> bool:
        whole, _ = self.whole(shape)
        return isinstance(whole, list) and len(whole) == 1

    def _made(self, shape: Shape, null: bool, closed: bool) -> _Node:
        nothing = frozenset({NoneType} if null else ())
        if isinstance(shape, str):
            return _Node(nothing.union(PLAIN.get(shape, ())), _nullable(word(shape), null))
        if isinstance(shape, list):
            return _Node(nothing, _nullable(closed_set(shape), null))
        if "items" in shape:
            return _Node(nothing, _nullable(_array(self._node(shape["items"])), null))
        if "oneOf" in shape:
            return self._union(shape["oneOf"], null)
        return _Node(nothing, _nullable(self._object(shape, closed), null))

    def _union(self, alternatives: list[Shape], null: bool) -> _Node:
        # Numbers first: a float is not fine by its type alone, and would have to be refused as a string before.
        wholes = sorted((self.whole(each)[0] for each in alternatives), key=lambda whole: whole != "number")
        kinds = [whole for whole in wholes if isinstance(whole, dict) and "keys" in whole]
        of_kinds = self._of_kinds(kinds) if kinds else None
        others = [self._node(whole) for whole in wholes if whole not in kinds]
        told = " or ".join(dict.fromkeys(map(expected, wholes)))

        def check(value: Any) -> Sequence[Problem]:
            if of_kinds and isinstance(value, dict):
                return of_kinds(value)
            found = []
            for node in others:
                problems = node.check(value)
                if not problems:
                    return ()
                if problems[0].place:
                    found.append(problems)
            return _nearest(found) if found else wrong(told, value)

        fine = frozenset({NoneType} if null else ()).union(*(node.fine for node in others))
        return _Node(fine, _nullable(check, null))

    def _of_kinds(self, kinds: list[dict[str, Any]]) -> Check:
        wholes = [{key: self.whole(each)[0] for key, each in kind["keys"].items()} for kind in kinds]
        choice = Choice(
            [frozenset(keys) for keys in wholes],
            [{key: each for key, each in keys.items() if isinstance(each, list)} for keys in wholes],
            [frozenset(kind.get("required", ())) for kind in kinds],
        )
        ready: dict[int, _Node] = {}

        def check(value: dict[str, Any]) -> Sequence[Problem]:
            meant, problem = choice.of(value)
            if problem:
                return [problem]
            found = []
            for kind in meant:
                if kind not in ready:
                    ready[kind] = self._node(kinds[kind])
                problems = ready[kind].check(value)
                if not problems:
                    return ()
                found.append(problems)
            return _nearest(found)

        return check

    def _object(self, shape: Mapping[str, Any], closed: bool) -> Check:
        told = shape["keys"]
        # A resource has the attributes and the relationships that it is told to have, and no other.
        owned = ("attributes", "relationships") if {"type", "attributes"} <= told.keys() else ()
        keys = {key: self._node(each, closed=key in owned) for key, each in told.items()}
        for key in owned:
            keys.setdefault(key, self._node({"keys": {}}, closed=True))
        required = frozenset(shape.get("required", ()))

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, dict):
                return wrong("an object", value)
            problems: list[Problem] = []
            unknown = []
            for key, each in value.items():
                node = keys.get(key)
                if node is None:
                    unknown.append(key)
                elif type(each) not in node.fine:
                    problems += [problem.under(key) for problem in node.check(each)]
            meant = _meant(unknown, [key for key in keys if key not in value]) if unknown else {}
            problems += [_unknown(key, meant.get(key)) for key in unknown if closed or key in meant]
            if not required <= value.keys():
                for key in told:
                    if key in required and key not in value and key not in meant.values():
                        problems += self._missing(key, told[key])
            return problems

        return check


def _nearest(found: list[Sequence[Problem]]) -> Sequence[Problem]:
    """What was probably meant: where the fewest faults are, and the deepest."""
    return min(found, key=lambda problems: (len(problems), -len(problems[0].place)))


def _nullable(check: Check, null: bool) -> Check:
    return (lambda value: () if value is None else check(value)) if null else check


def _array(item: _Node) -> Check:
    fine, check_item = item

    def check(value: Any) -> Sequence[Problem]:
        if not isinstance(value, list | tuple):
            return wrong("an array", value)
        problems: list[Problem] = []
        for index, each in enumerate(value):
            if type(each) not in fine:
                problems += [problem.under(index) for problem in check_item(each)]
        return problems

    return check


def _unknown(key: str, meant: str | None) -> Problem:
    return Problem((key,), "unknown", "is not known" + (f"; did you mean {meant!r}?" if meant else ""))


def _meant(unknown: list[Any], absent: list[str]) -> dict[Any, str]:
    """Which keys that are not known are misspellings of which that are not there."""
    folded = {_folded(each): each for each in absent}
    found = {}
    for key in unknown:
        near = difflib.get_close_matches(str(key), absent, n=1, cutoff=ALIKE)
        if same := folded.get(_folded(key)) or next(iter(near), None):
            found[key] = same
    return found


def _folded(key: Any) -> str:
    return "".join(filter(str.isalnum, str(key))).lower()
