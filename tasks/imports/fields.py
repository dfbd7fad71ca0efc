"""The fields that a row of an import may fill, read from the declaration of the import's action."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from typing_extensions import get_type_hints, is_typeddict

from worker.api.wire import Path, unwrap

#: How a value is written. ``email``, ``phone`` and ``text`` are sent as they are; the others are parsed first.
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
    """One place in an item: its dotted name, and the keys that lead there.

    Below an ``open`` field, such as ``properties``, every name is a field of its own. ``annotation`` decides how a
    value is sent; ``choices`` and ``longest`` (characters) limit it. ``style`` says how cells are written if there is
    more than one way: the order of a date, the decimal mark, a phone number without its ``+``.
    """

    name: str
    keys: Path
    form: Form
    annotation: Any
    required: bool = False
    open: bool = False
    choices: tuple[Any, ...] = ()
    longest: int | None = None
    style: str = ""

    def below(self, name: str, form: Form, style: str = "") -> Field:
        """Return the field of this name inside an open one. Dots in the name do not nest."""
        return Field(f"{self.name}.{name}", (*self.keys, name), form, Any, style=style)


def fields_of(item: Any) -> Iterator[Field]:
    """Yield the fields of an item in the order of its declaration; for a plain id, the field ``id``."""
    if is_typeddict(item):
        yield from _fields(item, (), required=True)
    else:
        yield Field("id", ("id",), "text", item, required=True)


def item_type(annotation: Any) -> Any:
    """Return the type of a list parameter's items."""
    return get_args(unwrap(annotation)[0])[0]


def longest(annotation: Any) -> int | None:
    """Return the declared maximum length of a text (characters) or a list (items)."""
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
    """Yield the metadata of ``Annotated`` types, however deep."""
    if get_origin(annotation) is typing.Annotated:
        yield from annotation.__metadata__
    for each in get_args(annotation):
        if get_origin(each) is not None:
            yield from _metadata(each)
