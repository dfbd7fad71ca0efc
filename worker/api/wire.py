"""How a parameter travels: the markers of a declaration, and the one rule for the seed document's flat names.

Pure. A `Shape` is made once from an annotation; it renders a plain Python value as JSON:API and takes a rendered
one apart again, so that nesting is written once, at the declaration.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

Path = tuple[str, ...]
#: Keys, and indexes of lists.
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class At:
    """The place of a parameter in the body, from its root; of a resource's key, from the resource: ``meta.x``.

    ``type`` is the resource type that goes with it where the path leads into a resource of its own:
    ``At("data.attributes.metric.data.attributes.name", type="metric")`` adds ``data.attributes.metric.data.type``.
    """

    path: str
    type: str | None = None

    @property
    def types(self) -> tuple[tuple[Path, str], ...]:
        """The constant that ``type`` stands for: beside the path's last ``attributes``, or beside its end."""
        if self.type is None:
            return ()
        names = self.path.split(".")
        if names[-1] == "id":
            return (((*names[:-1], "type"), self.type),)
        resource = names[: len(names) - 1 - names[::-1].index("attributes")] if "attributes" in names else names[:-1]
        return (((*resource, "type"), self.type),)


@dataclass(frozen=True, slots=True)
class Query:
    """The name of a query parameter where the rule would give another."""

    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """The name of a header, for what Klaviyo does not want to see in an address."""

    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A dictionary of plain names that travels as one JSON:API resource: its keys become attributes."""

    type: str


@dataclass(frozen=True, slots=True)
class Resources:
    """A list of such dictionaries; ``max_bytes`` is Klaviyo's limit for one of them."""

    type: str
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Linkage:
    """An id that travels as resource linkage, ``{"type": …, "id": …}``."""

    type: str


@dataclass(frozen=True, slots=True)
class Linkages:
    """A list of such ids."""

    type: str


@dataclass(frozen=True, slots=True)
class Aside:
    """A parameter that does not travel: the declaration's ``resolve`` turns it into others in the worker."""


@dataclass(frozen=True, slots=True)
class NotNull:
    """Klaviyo takes no null for this parameter: None is no value to send but says that none is given."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A key that need not be given: the call is stamped with it."""


Marker = At | Query | Header | Resource | Resources | Linkage | Linkages | Aside | NotNull | Filled


def flat_name(wire: str) -> str:
    """The seed document's spelling of a wire path: ``fields[catalog-variant]`` is ``fields__catalog__variant``."""
    for character in ".[-_":
        wire = wire.replace(character, "\0")
    return wire.replace("]", "").replace("\0", "__")


def query_name(parameter: str) -> str:
    """The wire name of a query parameter: ``page_cursor`` is ``page[cursor]``, ``fields_tag`` is ``fields[tag]``."""
    for prefix, wire in (
        ("additional_fields_", "additional-fields"),
        ("fields_", "fields"),
        ("page_", "page"),
    ):
        if parameter.startswith(prefix):
            return f"{wire}[{parameter.removeprefix(prefix).replace('_', '-')}]"
    return parameter


def unwrap(annotation: Any) -> tuple[Any, list[Marker]]:
    """Take ``Annotated[...] | None`` apart: the plain type and the markers, wherever in the union they stand."""
    markers: list[Marker] = []
    while True:
        origin = get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *metadata = get_args(annotation)
            markers += [item for item in metadata if isinstance(item, Marker)]
        elif origin in (typing.Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            if len(members) != 1:
                for member in members:
                    markers += unwrap(member)[1]
                return annotation, markers
            annotation = members[0]
        elif origin in (typing.Required, typing.NotRequired) or str(origin).endswith(("Required", "NotRequired")):
            annotation = get_args(annotation)[0]
        else:
            return annotation, markers


def one(markers: list[Marker], kind: type[Any]) -> Any:
    """The marker of this kind, or None."""
    return next((marker for marker in markers if isinstance(marker, kind)), None)


@dataclass(frozen=True, slots=True)
class Shape:
    """How values of one annotation travel.

    ``leaves`` are the wire paths below this value that have a plain place, with the keys that lead there;
    ``constants`` the wire paths whose value is fixed. ``plain`` says how the caller gets to what travels at a place.
    """

    render: Callable[[Any], Any]
    parse: Callable[[Any], Any]
    plain: Callable[[Place], Place]
    leaves: tuple[tuple[Path, Path], ...] = (((), ()),)
    constants: tuple[tuple[Path, str], ...] = ()


#: What travels as it is.
PLAIN = Shape(lambda value: value, lambda value: value, lambda place: place)


def shape_of(annotation: Any) -> Shape:
    """The shape of a parameter or of a key of a TypedDict."""
    plain, markers = unwrap(annotation)
    if marker := one(markers, Linkage):
        return _linkage(marker.type)
    if marker := one(markers, Linkages):
        return _many(_linkage(marker.type))
    if marker := one(markers, Resource):
        return _resource(marker.type, plain)
    if marker := one(markers, Resources):
        return _many(_resource(marker.type, get_args(plain)[0]))
    if is_typeddict(plain):
        return _mapping(plain)
    if get_origin(plain) is list:
        item = shape_of(get_args(plain)[0])
        return _many(item) if item is not PLAIN else PLAIN
    return PLAIN


def _linkage(kind: str) -> Shape:
    def parse(value: Any) -> Any:
        return value.get("id") if isinstance(value, Mapping) and value.get("type", kind) == kind else value

    return Shape(
        lambda value: {"type": kind, "id": value}, parse, lambda place: (), ((("id",), ()),), ((("type",), kind),)
    )


def _many(item: Shape) -> Shape:
    def listed(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: [convert(each) for each in value] if isinstance(value, list | tuple) else value

    return Shape(listed(item.render), listed(item.parse), lambda place: (*place[:1], *item.plain(place[1:])))


@dataclass(slots=True)
class _Keys:
    """The keys of a TypedDict with their places and shapes, and the types of the resources on the way."""

    places: dict[str, tuple[Path, Shape]] = field(default_factory=dict)
    types: dict[str, tuple[tuple[Path, str], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Any, place_of: Callable[[str], Path]) -> _Keys:
        keys = cls()
        for key, annotation in get_type_hints(kind, include_extras=True).items():
            at = one(unwrap(annotation)[1], At)
            keys.places[key] = (tuple(at.path.split(".")) if at else place_of(key), shape_of(annotation))
            keys.types[key] = at.types if at else ()
        return keys

    def leaves(self) -> Iterator[tuple[Path, Path]]:
        for key, (place, shape) in self.places.items():
            for below, keys in shape.leaves:
                yield (*place, *below), (key, *keys)

    def constants(self) -> Iterator[tuple[Path, str]]:
        for key, (place, shape) in self.places.items():
            for below, value in shape.constants:
                yield (*place, *below), value
            yield from self.types[key]

    def plain(self, place: Place) -> Place:
        for key, (path, shape) in self.places.items():
            if place[: len(path)] == path:
                return (key, *shape.plain(place[len(path) :]))
        return place

    def render(self, value: Any, into: dict[str, Any]) -> dict[str, Any]:
        for key, each in value.items():
            place, shape = self.places[key]
            put(into, place, None if each is None else shape.render(each))
            for type_place, kind in self.types[key]:
                put(into, type_place, kind)
        return into

    def parse_each(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The values of plain names, each of which may be plain or rendered."""
        return {key: self.places[key][1].parse(each) if key in self.places else each for key, each in value.items()}

    def parse(self, value: Any) -> Any:
        """The plain names of a rendered mapping; what has no plain name stays where it was, to be refused by type."""
        rest = _copy(value)
        for place, _ in self.places.values():
            _drop_null(rest, place)
        plain: dict[str, Any] = {}
        for key, (place, shape) in self.places.items():
            found, each = take(rest, place)
            if found:
                plain[key] = shape.parse(each)
        for type_place, kind in [pair for pairs in self.types.values() for pair in pairs]:
            found, each = take(rest, type_place)
            if found and each != kind:
                put(rest, type_place, each)
        return {**rest, **plain}


def _mapping(kind: Any) -> Shape:
    keys = _Keys.of(kind, lambda key: (key,))
    return Shape(
        lambda value: keys.render(value, {}),
        lambda value: keys.parse(value) if isinstance(value, Mapping) else value,
        keys.plain,
        tuple(keys.leaves()),
        tuple(keys.constants()),
    )


def _resource(kind: str, attributes: Any) -> Shape:
    def place_of(key: str) -> Path:
        return ("id",) if key == "id" else ("attributes", key)

    keys = _Keys.of(attributes, place_of) if is_typeddict(attributes) else _Keys()
    # Klaviyo insists on `attributes`, even where an id says everything.
    has_attributes = any(place[0] == "attributes" for place, _ in keys.places.values())

    def empty() -> dict[str, Any]:
        return {"type": kind, "attributes": {}} if has_attributes else {"type": kind}

    def parse(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if not {"type", "attributes"} & set(value):
            return keys.parse_each(value)
        rest = dict(value)
        if rest.get("type") == kind:
            del rest["type"]
        if rest.get("attributes") == {}:
            del rest["attributes"]
        return keys.parse(rest)

    return Shape(
        lambda value: keys.render(value, empty()),
        parse,
        keys.plain,
        tuple(keys.leaves()),
        ((("type",), kind), *keys.constants()),
    )


def put(into: dict[str, Any], path: Path, value: Any) -> None:
    """Set a value at a path, making the dictionaries on the way."""
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value


def take(out_of: dict[str, Any], path: Path) -> tuple[bool, Any]:
    """Remove and return what stands at a path; dictionaries that become empty on the way go too."""
    name, *below = path
    if name not in out_of:
        return False, None
    if not below:
        return True, out_of.pop(name)
    if not isinstance(out_of[name], dict):
        return False, None
    found, value = take(out_of[name], tuple(below))
    if found and not out_of[name]:
        del out_of[name]
    return found, value


def _drop_null(out_of: dict[str, Any], path: Path) -> None:
    """Remove a null around what stands at a path: as much as leaving it out."""
    for depth in range(len(path) - 1):
        holder = inside(out_of, path[:depth])
        if holder.get(path[depth], path) is None:
            del holder[path[depth]]


def inside(mapping: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    """The dictionary that stands at a path; an empty one where none does."""
    found: Any = mapping
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _copy(value: Any) -> dict[str, Any]:
    return {name: _copy(each) if isinstance(each, Mapping) else each for name, each in value.items()}
