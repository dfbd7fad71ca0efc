"""Bodies made from their shapes: right ones, and for each of their places all that one change can make of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from worker.api.body import Shape, Table, table_of
from worker.api.body_leaves import Pointer

#: A text that no closed set has, and that is no number, time or boolean.
OTHER = "something else"
WORDS: dict[str, Any] = {
    "string": "x1", "integer": 3, "number": 2.5, "boolean": True, "object": {"a": 1}, "any": "x1", "empty": {},
    "date-time": "2026-01-02T03:04:05+00:00", "date": "2026-01-02", "time": "03:04:05",
}  # fmt: skip
#: What each kind of leaf is not.
WRONG: dict[str, list[Any]] = {
    "string": [7, ["x1"]], "integer": [OTHER, 1.5, [1]], "number": [OTHER, {}], "boolean": [OTHER, 2],
    "object": [["a"], OTHER], "empty": [["a"], {"a": 1}], "date-time": [OTHER, 7], "date": [OTHER, 7],
    "time": [OTHER, 7],
}  # fmt: skip
READ: dict[str, Any] = {
    "date-time": datetime.fromisoformat, "date": date.fromisoformat, "time": time.fromisoformat
}  # fmt: skip
TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict}

found = table_of("tasks")
assert found
TABLE: Table = found


@dataclass(frozen=True)
class Mutant:
    """A value with one change in it; ``fits`` says whether it is still right, None where a union leaves that open."""

    value: Any
    place: Pointer
    fits: bool | None


def whole(shape: Shape) -> tuple[Any, bool]:
    """What a shape says, and whether it may be null."""
    null = False
    while isinstance(shape, str):
        null |= shape.endswith("?")
        shape = shape.removesuffix("?")
        if not shape.startswith("#"):
            return shape, null
        shape = TABLE["shapes"][shape[1:]]
    return shape, null or (None in shape if isinstance(shape, list) else bool(shape.get("null")))


def example(shape: Shape) -> Any:
    """The smallest right value, and never null."""
    shape, _ = whole(shape)
    if isinstance(shape, str):
        return WORDS[shape]
    if isinstance(shape, list):
        return shape[0]
    if "items" in shape:
        return [example(shape["items"])]
    if "oneOf" in shape:
        return example(shape["oneOf"][0])
    return {key: example(shape["keys"][key]) for key in shape.get("required", ())}


def fits(value: Any, shape: Shape, strict: bool = False) -> bool:
    """Whether a value has a shape: the definition, word for word. ``strict``: without a key that it does not tell."""
    shape, null = whole(shape)
    if value is None:
        return null or shape == "any"
    if isinstance(shape, list):
        return any(value == each and type(value) is type(each) for each in shape)
    if isinstance(shape, dict):
        return _fits_inside(value, shape, strict)
    if shape == "any":
        return True
    if shape in READ:
        return isinstance(value, str) and _is_read(READ[shape], value)
    if shape == "empty":
        return value == {}
    return isinstance(value, TYPES[shape]) and isinstance(value, bool) == (shape == "boolean")


def _fits_inside(value: Any, shape: dict[str, Any], strict: bool) -> bool:
    if "oneOf" in shape:
        return any(fits(value, each, strict) for each in shape["oneOf"])
    if "items" in shape:
        return isinstance(value, list) and all(fits(each, shape["items"], strict) for each in value)
    return (
        isinstance(value, dict)
        and set(shape.get("required", ())) <= set(value)
        and not (strict and set(value) - set(shape["keys"]))
        and all(fits(value[key], each, strict) for key, each in shape["keys"].items() if key in value)
    )


def _is_read(read: Any, value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def mutants(shape: Shape, value: Any, seen: set[str]) -> Iterator[Mutant]:
    """What one change makes of a right value; shapes that were ``seen`` are not gone into once more."""
    known = isinstance(shape, str) and shape.startswith("#") and shape.removesuffix("?") in seen
    if isinstance(shape, str):
        seen.add(shape.removesuffix("?"))
    shape, null = whole(shape)
    if shape != "any":
        yield Mutant(None, (), null)
    if isinstance(shape, str):
        yield from (Mutant(wrong, (), False) for wrong in WRONG.get(shape, ()))
    elif isinstance(shape, list):
        yield Mutant(OTHER, (), False)
    elif "items" in shape:
        yield Mutant({"a": 1}, (), False)
        yield Mutant([], (), True)
        for each in () if known else value:
            yield from (_in([each], 0, mutant) for mutant in mutants(shape["items"], each, seen))
    elif "oneOf" in shape:
        for each in () if known else shape["oneOf"]:
            yield from (replace(mutant, fits=None) for mutant in mutants(each, _as(value, each), seen))
    else:
        yield Mutant(OTHER, (), False)
        yield from () if known else _mutants_of_keys(shape, value, seen)


def _as(value: Any, shape: Shape) -> Any:
    """The value, where it is one of this shape, or else another that is."""
    return value if fits(value, shape) else example(shape)


def _mutants_of_keys(shape: dict[str, Any], value: dict[str, Any], seen: set[str]) -> Iterator[Mutant]:
    for key, each in shape["keys"].items():
        if key in shape.get("required", ()):
            yield Mutant({other: kept for other, kept in value.items() if other != key}, (key,), False)
        inside = value[key] if value.get(key) is not None else example(each)
        yield from (_in(value, key, mutant) for mutant in mutants(each, inside, seen))


def _in(value: Any, key: str | int, mutant: Mutant) -> Mutant:
    changed = {**value, key: mutant.value} if isinstance(value, dict) else [mutant.value]
    return replace(mutant, value=changed, place=(key, *mutant.place))
