"""Parsing the words of a command line as an action's parameters. Pure."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

from worker.api.declaration import Declaration
from worker.api.seed_names import Alias
from worker.api.wire import unwrap
from worker.errors import InputError


def parameters(declaration: Declaration, words: Sequence[str], given: str | None = None) -> dict[str, Any]:
    """Return the keyword arguments given as ``--name value …`` and as a JSON object; the declaration checks them.

    Raises:
        InputError: the words themselves make no sense. It echoes no value.

    """
    result: dict[str, Any] = {}
    if given is not None:
        value = _json(declaration, "--json", given)
        if not isinstance(value, dict):
            raise InputError(declaration.name, ["--json takes an object: '{\"email\": …}'"])
        result |= value
    collected: dict[str, list[str]] = {}
    for name, value in _pairs(declaration, words):
        collected.setdefault(name, []).append(value)
    for name, values in collected.items():
        if name in result:
            raise InputError(declaration.name, [f"parameter {name!r} is given twice, in --json and as an option"])
        result[name] = _value(declaration, name, values)
    return result


def _pairs(declaration: Declaration, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--") or word == "--":
            raise InputError(declaration.name, ["there is a value without an option; write --name value"])
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not equals:
            if left and not left[0].startswith("--"):
                value = left.pop(0)
            elif _option_type(declaration, name) is bool:
                value = "true"
            else:
                raise InputError(declaration.name, [f"parameter {name!r} has no value"])
        yield name, value


def _value(declaration: Declaration, name: str, values: list[str]) -> Any:
    plain = _option_type(declaration, name)
    if get_origin(plain) is list and _is_text(get_args(plain)[0]):
        if len(values) == 1 and values[0].lstrip().startswith("["):
            return _json(declaration, name, values[0])
        return [item.strip() for value in values for item in value.split(",") if item.strip()]
    if len(values) > 1:
        raise InputError(declaration.name, [f"parameter {name!r} is given {len(values)} times"])
    if get_origin(plain) in (list, dict) or is_typeddict(plain):
        return _json(declaration, name, values[0])
    if plain is Any and values[0][:1] in ("{", "["):
        return _json(declaration, name, values[0])
    return values[0]


def _option_type(declaration: Declaration, name: str) -> Any:
    """Return the type of the parameter that an option's name, plain or flat, stands for; Any if there is none."""
    target = declaration.aliases.get(name)
    keys = (name,) if name in declaration.parameters else target.keys if isinstance(target, Alias) else ()
    if not keys or keys[0] not in declaration.parameters:
        return Any
    plain = unwrap(declaration.parameters[keys[0]].annotation)[0]
    for key in keys[1:]:
        if not is_typeddict(plain):
            return Any
        plain = unwrap(get_type_hints(plain, include_extras=True).get(key, Any))[0]
    return plain


def _is_text(item: Any) -> bool:
    plain = unwrap(item)[0]
    if get_origin(plain) in (typing.Union, types.UnionType):
        return all(_is_text(each) for each in get_args(plain))
    return plain is str or get_origin(plain) is typing.Literal


def _json(declaration: Declaration, name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"parameter {name!r}" if not name.startswith("-") else name
        raise InputError(
            declaration.name,
            [f"{where} takes JSON, and this is not valid JSON ({error.msg} at character {error.pos + 1})"],
        ) from None
