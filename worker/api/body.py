"""Checks request bodies against the shapes that Klaviyo publishes for them, down to the last leaf. Pure.

A package's ``bodies.json`` holds the shape of each action's body, and the shapes that several bodies share
(`cli.revision.body_table` writes it). A shape is

- a word: ``string``, ``integer``, ``number``, ``boolean``; ``date-time``, ``date``, ``time``, a string in that format;
  ``object`` and ``any``, which may hold anything; ``empty``, an object without keys; ``binary``, a file in a form;
  ``#Name``, a shape defined elsewhere. With ``?`` it may be null.
- a list: the closed set of values.
- ``{"keys": …, "required": […]}``, ``{"items": …}`` or ``{"oneOf": […]}``; with ``"null": true`` it may be null.

Klaviyo's file closes no object, and what a GET returns may hold more keys than the file lists. So an unknown key is
refused only among a resource's attributes and relationships, or if it looks like a misspelling of a known one.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path as FilePath
from types import NoneType
from typing import Any, NamedTuple

import orjson

from worker.api.body_choice import Choice
from worker.api.body_leaves import TYPES, Check, Problem, closed_set_check, describe, mismatch, scalar_check

#: A shape as it stands in the table.
Shape = str | list[Any] | dict[str, Any]
#: The keys that lead to a value in a body.
Path = tuple[str, ...]
#: ``{"shapes": {name: shape}, "bodies": {action: shape}}``.
Table = dict[str, dict[str, Shape]]

#: How similar two keys must be, from 0 to 1, for one to count as a misspelling of the other.
MIN_SIMILARITY = 0.85


@cache
def check_of(package: str, action: str) -> Check | None:
    """The check for an action's body; None if the package's ``bodies.json`` does not have it."""
    shapes = _shapes_of(package)
    return shapes.body(action) if shapes else None


def node_at(package: str, action: str, place: Path) -> Node | None:
    """The check of what stands at a place in an action's body, if that is the same whatever stands beside it."""
    shapes = _shapes_of(package)
    return shapes.at(action, place) if shapes else None


def table_of(package: str) -> Table | None:
    """A package's table; None if it has none. The package itself is not imported."""
    spec = None
    with suppress(ValueError):  # a module run as a script has no spec
        spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        file = FilePath(folder, "bodies.json")
        if file.is_file():
            found: Table = orjson.loads(file.read_bytes())
            return found
    return None


@cache
def _shapes_of(package: str) -> Shapes | None:
    table = table_of(package)
    return Shapes(table) if table else None


class Node(NamedTuple):
    """A compiled shape: values of exactly these types are accepted, all others go through the check."""

    accepted: frozenset[type]
    check: Check


class Shapes:
    """The shapes of a table, compiled into checks."""

    def __init__(self, table: Table) -> None:
        self._shapes, self._bodies = table["shapes"], table["bodies"]
        self._ready: dict[tuple[str, bool], Check] = {}

    def body(self, action: str) -> Check | None:
        """The check for an action's body; None if the table does not have it."""
        return self._node(self._bodies[action]).check if action in self._bodies else None

    def at(self, action: str, place: Path) -> Node | None:
        """As `node_at`."""
        shape, closed = self._bodies.get(action, "any"), False
        for key in place:
            whole, _ = self.resolve(shape)
            if not isinstance(whole, dict) or key not in whole.get("keys", ()):
                return None
            shape, closed = whole["keys"][key], key in _owned(whole["keys"])
        return self._node(shape, closed=closed)

    def resolve(self, shape: Shape) -> tuple[Shape, bool]:
        """Follow references to the shape itself; also whether it may be null, wherever along the way that is said."""
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

    def _node(self, shape: Shape, *, closed: bool = False) -> Node:
        """Compile a shape. ``closed``: it has no keys but those that it lists."""
        if not isinstance(shape, str) or not shape.startswith("#"):
            return self._build(*self.resolve(shape), closed)
        # Compiled when first needed: a shape may contain itself, and most are never sent.
        return Node(
            frozenset({NoneType} if self.resolve(shape)[1] else ()), lambda value: self._named(shape, closed)(value)
        )

    def _named(self, name: str, closed: bool) -> Check:
        """The check for a named shape. Two threads that compile it at once get the same result."""
        check = self._ready.get((name, closed))
        if check is None:
            check = self._ready[name, closed] = self._build(*self.resolve(name), closed).check
        return check

    def _missing(self, key: str, shape: Shape) -> Iterator[Problem]:
        """What is missing where a required key is absent: what must be inside it, or the key itself."""
        whole, _ = self.resolve(shape)
        inside: dict[str, Shape] = (
            {each: whole["keys"][each] for each in whole.get("required", ())} if isinstance(whole, dict) else {}
        )
        asked = {each: shape for each, shape in inside.items() if not self._is_constant(shape)}
        for each, shape in asked.items():
            for problem in self._missing(each, shape):
                yield problem.under(key)
        if not asked:
            yield Problem((key,), "missing", "is missing")

    def _is_constant(self, shape: Shape) -> bool:
        whole, _ = self.resolve(shape)
        return isinstance(whole, list) and len(whole) == 1

    def _build(self, shape: Shape, null: bool, closed: bool) -> Node:
        nothing = frozenset({NoneType} if null else ())
        if isinstance(shape, str):
            return Node(nothing.union(TYPES.get(shape, ())), _nullable(scalar_check(shape), null))
        if isinstance(shape, list):
            return Node(nothing, _nullable(closed_set_check(shape), null))
        if "items" in shape:
            return Node(nothing, _nullable(_array(self._node(shape["items"])), null))
        if "oneOf" in shape:
            return self._union(shape["oneOf"], null)
        return Node(nothing, _nullable(self._object(shape, closed), null))

    def _union(self, alternatives: list[Shape], null: bool) -> Node:
        # Numbers first: a float is never accepted by its type alone, and a string's check would refuse it first.
        wholes = sorted((self.resolve(each)[0] for each in alternatives), key=lambda whole: whole != "number")
        kinds = [whole for whole in wholes if isinstance(whole, dict) and "keys" in whole]
        choose = self._choice(kinds) if kinds else None
        others = [self._node(whole) for whole in wholes if whole not in kinds]
        expected = " or ".join(dict.fromkeys(map(describe, wholes)))

        def check(value: Any) -> Sequence[Problem]:
            if choose and isinstance(value, dict):
                return choose(value)
            found = []
            for node in others:
                problems = node.check(value)
                if not problems:
                    return ()
                if problems[0].place:
                    found.append(problems)
            return _closest(found) if found else mismatch(expected, value)

        accepted = frozenset({NoneType} if null else ()).union(*(node.accepted for node in others))
        return Node(accepted, _nullable(check, null))

    def _choice(self, kinds: list[dict[str, Any]]) -> Check:
        wholes = [{key: self.resolve(each)[0] for key, each in kind["keys"].items()} for kind in kinds]
        choice = Choice(
            [frozenset(keys) for keys in wholes],
            [{key: each for key, each in keys.items() if isinstance(each, list)} for keys in wholes],
            [frozenset(kind.get("required", ())) for kind in kinds],
        )
        ready: dict[int, Node] = {}

        def check(value: dict[str, Any]) -> Sequence[Problem]:
            meant, problem = choice.narrow(value)
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
            return _closest(found)

        return check

    def _object(self, shape: Mapping[str, Any], closed: bool) -> Check:
        declared = shape["keys"]
        owned = _owned(declared)
        keys = {key: self._node(each, closed=key in owned) for key, each in declared.items()}
        for key in owned:
            keys.setdefault(key, self._node({"keys": {}}, closed=True))
        required = frozenset(shape.get("required", ()))
        unfamiliar: tuple[frozenset[type], Check | None] = (frozenset(), None)

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, dict):
                return mismatch("an object", value)
            problems: list[Problem] = []
            unknown = []
            for key, each in value.items():
                # Most values are of a type that is accepted, and all calls pass here.
                accepted, check_value = keys.get(key, unfamiliar)
                if type(each) not in accepted:
                    if check_value is None:
                        unknown.append(key)
                    elif found := check_value(each):
                        problems += [problem.under(key) for problem in found]
            meant = _misspelled(unknown, [key for key in keys if key not in value]) if unknown else {}
            problems += [_unknown(key, meant.get(key)) for key in unknown if closed or key in meant]
            if not required <= value.keys():
                for key in declared:
                    if key in required and key not in value and key not in meant.values():
                        problems += self._missing(key, declared[key])
            return problems

        return check


def _owned(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of an object in which nothing unknown may stand: a resource has its own attributes and relationships."""
    return ("attributes", "relationships") if {"type", "attributes"} <= keys.keys() else ()


def _closest(found: list[Sequence[Problem]]) -> Sequence[Problem]:
    """The alternative that was probably meant: the one with the fewest problems, and the deepest."""
    return min(found, key=lambda problems: (len(problems), -len(problems[0].place)))


def _nullable(check: Check, null: bool) -> Check:
    return (lambda value: () if value is None else check(value)) if null else check


def _array(item: Node) -> Check:
    accepted, check_item = item

    def check(value: Any) -> Sequence[Problem]:
        if not isinstance(value, list | tuple):
            return mismatch("an array", value)
        problems: list[Problem] = []
        for index, each in enumerate(value):
            if type(each) not in accepted and (found := check_item(each)):
                problems += [problem.under(index) for problem in found]
        return problems

    return check


def _unknown(key: str, meant: str | None) -> Problem:
    return Problem((key,), "unknown", "is not known" + (f"; did you mean {meant!r}?" if meant else ""))


def _misspelled(unknown: list[Any], absent: list[str]) -> dict[Any, str]:
    """Which unknown keys are misspellings of which absent ones."""
    by_letters = {_fold(each): each for each in absent}
    found = {}
    for key in unknown:
        near = difflib.get_close_matches(str(key), absent, n=1, cutoff=MIN_SIMILARITY)
        if same := by_letters.get(_fold(key)) or next(iter(near), None):
            found[key] = same
    return found


def _fold(key: Any) -> str:
    return "".join(filter(str.isalnum, str(key))).lower()
