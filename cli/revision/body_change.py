"""What differs between the body shapes of two tables, down to the last leaf. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from worker.api.body import Shape, Shapes, Table

#: How much of a shape is shown.
MAX_SHAPE_CHARACTERS = 100


class Change(NamedTuple):
    """A place in a body whose shape has changed; empty where there is none."""

    place: str
    before: str
    after: str


def changes(before: Table, after: Table, action: str) -> Iterator[Change]:
    """Yield where the shapes of an action's body differ."""
    if action in before["bodies"] and action in after["bodies"]:
        compared = _Compared(Shapes(before), Shapes(after))
        yield from compared.differing(before["bodies"][action], after["bodies"][action], "", ())


class _Compared(NamedTuple):
    before: Shapes
    after: Shapes

    def differing(self, old: Shape, new: Shape, place: str, above: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        pair = (json.dumps(old), json.dumps(new)) if isinstance(old, str) and isinstance(new, str) else None
        if pair and pair in above:
            return
        above = (*above, pair) if pair else above
        (was, was_null), (now, is_null) = self.before.resolve(old), self.after.resolve(new)
        if was_null != is_null or _kind(was) != _kind(now):
            yield Change(place, _summary(was, was_null), _summary(now, is_null))
        elif isinstance(was, dict) and isinstance(now, dict):
            yield from self._inside(was, now, place, above)
        elif _comparable(was) != _comparable(now):
            yield Change(place, _summary(was, was_null), _summary(now, is_null))

    def _inside(
        self, was: dict[str, Any], now: dict[str, Any], place: str, above: tuple[tuple[str, str], ...]
    ) -> Iterator[Change]:
        if "items" in was:
            yield from self.differing(was["items"], now["items"], f"{place}[]", above)
        elif "oneOf" in was:
            if len(was["oneOf"]) != len(now["oneOf"]):
                yield Change(place, f"{len(was['oneOf'])} alternatives", f"{len(now['oneOf'])} alternatives")
                return
            for old, new in zip(was["oneOf"], now["oneOf"], strict=True):
                yield from self.differing(old, new, place, above)
        else:
            for key in dict.fromkeys((*was["keys"], *now["keys"])):
                where = f"{place}.{key}" if place else key
                if key not in was["keys"] or key not in now["keys"]:
                    yield Change(where, "there" if key in was["keys"] else "", "there" if key in now["keys"] else "")
                    continue
                must, must_now = key in was.get("required", ()), key in now.get("required", ())
                if must != must_now:
                    yield Change(where, "required" if must else "optional", "required" if must_now else "optional")
                yield from self.differing(was["keys"][key], now["keys"][key], where, above)


def _comparable(shape: Shape) -> Any:
    """A shape to compare by: a closed set has no order."""
    return sorted(map(str, shape)) if isinstance(shape, list) else shape


def _kind(shape: Shape) -> str:
    if isinstance(shape, dict):
        return next(each for each in ("items", "oneOf", "keys") if each in shape)
    return "set" if isinstance(shape, list) else "word"


def _summary(shape: Shape, null: bool) -> str:
    if isinstance(shape, str):
        text = shape
    elif isinstance(shape, list):
        text = ", ".join(sorted(str(each) for each in shape if each is not None))
    else:
        text = {"items": "array", "oneOf": "alternatives", "keys": "object"}[_kind(shape)]
    text = text if len(text) <= MAX_SHAPE_CHARACTERS else f"{text[:MAX_SHAPE_CHARACTERS]}…"
    return f"{text} or null" if null else text
