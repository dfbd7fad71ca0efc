"""Which fields a row of an import may fill: read from the declaration of the action that takes it."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from typing_extensions import get_type_hints, is_typeddict

from worker.api.wire import Path, unwrap

#: How a value is written. ``email``, ``phone`` and ``text`` travel as they are; the others are read first.
Form = Literal["text", "email", "phone", "number", "boolean", "time", "day", "list", "json"]
TEXTS: tuple[Form, ...] = ("text", "email", "phone")

_BY_NAME: dict[str, Form] = {"email": "email", "phone_number": "phone"}
_BY_TYPE: tuple[tuple[Any, Form], ...] = (
    (float, "number"),
    (float | str, "number"),
    (bool, "boolean"),
    (datetime | str, "time"),
    (date | str, "day"),
    (list[str], "list"),
    (str, "text"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One place in an item: the dotted name that people use for it, and the keys that lead there.

    Below an ``open`` field, such as ``properties``, every name is a field of its own. Its ``annotation`` tells how a
    value travels; ``choices`` and ``longest`` (characters) limit it.
    """

    name: str
    keys: Path
    form: Form
    annotation: Any
    required: bool = False
    open: bool = False
    choices: tuple[Any, ...] = ()
    longest: int | None = None

    def below(self, name: str, form: Form) -> Field:
        """The field of this name inside an open one; whatever the name holds, it is one key."""
        return Field(f"{self.name}.{name}", (*self.keys, name), form, Any)


def fields_of(item: Any) -> Iterator[Field]:
    """The fields of one item, in the order of its declaration; of a plain id, the field ``id``."""
    if is_typeddict(item):
        yield from _fields(item, (), required=True)
    else:
        yield Field("id", ("id",), "text", item, required=True)


def item_type(annotation: Any) -> Any:
    """What a list parameter is a list of."""
    return get_args(unwrap(annotation)[0])[0]


def longest(annotation: Any) -> int | None:
    """The most that a text or a list may hold by its declaration: characters or items."""
    for each in _metadata(annotation):
        if isinstance(each, FieldInfo):
            for limit in each.metadata:
                if (most := getattr(limit, "max_length", None)) is not None:
                    return int(most)
    return None


def _fields(kind: Any, above: Path, required: bool) -> Iterator[Field]:
    for key, annotation in get_type_hints(kind, include_extras=True).items():
        keys = (*above, key)
        needed = required and (kind.__total__ or str(get_origin(annotation)).endswith("Required"))
        plain = unwrap(annotation)[0]
        if is_typeddict(plain):
            yield from _fields(plain, keys, needed)
            continue
        form = _BY_NAME.get(key) or _form(plain)
        choices = get_args(plain) if get_origin(plain) is Literal else ()
        if choices:
            form = "text" if isinstance(choices[0], str) else "number"
        is_open = get_origin(plain) is dict
        yield Field(".".join(keys), keys, form, annotation, needed, is_open, choices, longest(annotation))


def _form(plain: Any) -> Form:
    return next((form for known, form in _BY_TYPE if plain == known), "json")


def _metadata(annotation: Any) -> Iterator[Any]:
    """What stands beside the type in ``Annotated``, however deep."""
    if get_origin(annotation) is typing.Annotated:
        yield from annotation.__metadata__
    for each in get_args(annotation):
        if get_origin(each) is not None:
            yield from _metadata(each)
