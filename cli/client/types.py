"""The types of the actions' parameters as source code, with the definitions that they need. Pure."""

from __future__ import annotations

import sys
import textwrap
import types
import typing
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

WIDTH = 120


@dataclass(frozen=True)
class Named:
    """A type with a name and a definition: a TypedDict or a Literal."""

    name: str
    module: str
    definition: Any


class Types:
    """All types of some parameters, each under a unique name."""

    def __init__(self, parameters: Iterable[tuple[Any, str]], taken: Collection[str]) -> None:
        """Take annotations, each with the module in which it is written; ``taken``: names that are already used."""
        found = list(dict.fromkeys(_found(parameters)))
        kinds: dict[str, list[Named]] = defaultdict(list)
        for each in found:
            if each.definition not in [other.definition for other in kinds[each.name]]:
                kinds[each.name].append(each)
        self._names = {
            (each.name, each.definition): each.name if len(same) == 1 and each.name not in taken else _longer(each)
            for same in kinds.values()
            for each in same
        }
        self._defined = [each for same in kinds.values() for each in same]

    def spelled(self, annotation: Any, module: str) -> str:
        """Return an annotation as source code."""
        plain = _bare(annotation)
        if named := _named(plain, module):
            return self._names[named.name, named.definition]
        origin, inner = get_origin(plain), get_args(plain)
        if origin is Literal:
            return f"Literal[{', '.join(map(_value, inner))}]"
        if origin in (typing.Union, types.UnionType):
            # A path on the caller's machine means nothing to the worker.
            members = [self.spelled(each, module) for each in inner if each is not Path]
            return " | ".join(sorted(dict.fromkeys(members), key=lambda member: member == "None"))
        if origin is not None:
            return f"{origin.__name__}[{', '.join(self.spelled(each, module) for each in inner)}]"
        return "None" if plain is type(None) else str(plain.__name__)

    def definitions(self) -> Iterator[str]:
        """Yield the source of every named type; the order does not matter, since annotations are not evaluated."""
        for each in self._defined:
            name = self._names[each.name, each.definition]
            yield self._keys(name, each) if is_typeddict(each.definition) else _choice(name, each.definition)

    def _keys(self, name: str, named: Named) -> str:
        kind = named.definition
        hints = get_type_hints(kind, include_extras=True)
        required = {key for key, hint in hints.items() if _has_to_be_given(kind, key, hint)}
        total = len(required) == len(hints)
        lines = [f"class {name}(TypedDict{'' if total else ', total=False'}):"]
        lines.append(f'    """{(kind.__doc__ or "").partition(chr(10))[0]}"""\n')
        for key, hint in hints.items():
            text = self.spelled(hint, kind.__module__)
            lines.append(f"    {key}: {f'Required[{text}]' if key in required and not total else text}")
        return "\n".join(lines)


def _found(parameters: Iterable[tuple[Any, str]]) -> Iterator[Named]:
    """Yield every type that needs a name, however deeply nested."""
    left, seen = list(parameters), set()
    while left:
        annotation, module = left.pop(0)
        plain = _bare(annotation)
        if named := _named(plain, module):
            yield named
        if is_typeddict(plain):
            if plain not in seen:
                seen.add(plain)
                left += [(hint, plain.__module__) for hint in get_type_hints(plain, include_extras=True).values()]
        elif get_origin(plain) is not Literal:
            left += [(each, module) for each in get_args(plain)]


def _named(plain: Any, module: str) -> Named | None:
    if is_typeddict(plain):
        return Named(plain.__name__, plain.__module__, plain)
    if get_origin(plain) is Literal:
        for name, value in vars(sys.modules[module]).items():
            if get_origin(value) is Literal and get_args(value) == get_args(plain):
                return Named(name, module, plain)
    return None


def _bare(annotation: Any) -> Any:
    """Return an annotation without what only the declaration needs."""
    while get_origin(annotation) in (typing.Annotated, typing.Required, typing.NotRequired):
        annotation = get_args(annotation)[0]
    return annotation


def _has_to_be_given(kind: Any, key: str, hint: Any) -> bool:
    # `__required_keys__` only reflects `total` if annotations are strings, as they are everywhere here.
    while get_origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    return get_origin(hint) is typing.Required or (
        key in kind.__required_keys__ and get_origin(hint) is not typing.NotRequired
    )


def _choice(name: str, choice: Any) -> str:
    values = [_value(each) for each in get_args(choice)]
    line = f"{name} = Literal[{', '.join(values)}]"
    if len(line) <= WIDTH:
        return line
    whole = ", ".join(value.replace(" ", "\0") for value in values)  # a value is not broken at a space within it
    lines = textwrap.wrap(whole, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"{name} = Literal[", *(f"    {each}".replace("\0", " ") for each in lines), "]"])


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _longer(named: Named) -> str:
    """Return the name prefixed with that of its section: ``FlowsDimension``."""
    return named.module.rpartition(".")[2].title().replace("_", "") + named.name
