"""How a parameter travels: the markers of a declaration, and the one rule for the seed document's flat names.

Pure. A `Codec` is made once from an annotation. It renders a plain Python value as JSON:API and parses a rendered one,
so that nesting is written once, at the declaration.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

from worker.api.body_leaves import Pointer

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class At:
    """The place of a parameter in the body, from its root; for a key of a resource, from the resource: ``meta.x``.

    ``type`` is the resource type that goes with it where the path leads into a resource of its own:
    ``At("data.attributes.metric.data.attributes.name", type="metric")`` adds ``data.attributes.metric.data.type``.
    """

    path: str
    type: str | None = None

    @property
    def types(self) -> tuple[tuple[Path, str], ...]:
        """The constant that ``type`` adds: beside the path's last ``attributes``, or beside its end."""
        if self.type is None:
            return ()
        names = self.path.split(".")
        if names[-1] == "id":
            return (((*names[:-1], "type"), self.type),)
        resource = names[: len(names) - 1 - names[::-1].index("attributes")] if "attributes" in names else names[:-1]
        return (((*resource, "type"), self.type),)


@dataclass(frozen=True, slots=True)
class Query:
    """The name of a query parameter that the naming rule would get wrong."""

    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """The name of a header, for what Klaviyo does not accept in the URL."""

    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A dictionary of plain names that travels as one JSON:API resource: its keys become attributes."""

    type: str


@dataclass(frozen=True, slots=True)
class Resources:
    """A list of such dictionaries; ``max_bytes`` is Klaviyo's limit for each."""

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
    """Klaviyo takes no null for this parameter: None is the same as leaving it out."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A key that may be left out: the call is stamped with it."""


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
    """Split ``Annotated[...] | None`` into the plain type and the markers, wherever in the union they stand."""
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


def marker_of(markers: list[Marker], kind: type[Any]) -> Any:
    """The marker of this kind, or None."""
    return next((marker for marker in markers if isinstance(marker, kind)), None)


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of one annotation travel.

    ``render`` and ``parse`` convert a value to JSON:API and back. ``plain`` translates a place on the wire into the
    keys by which a caller reaches it. ``leaves`` are the wire paths below this value, each with those keys;
    ``constants`` are the wire paths whose value is fixed; ``keys`` are the keys of a dictionary that travels as one
    resource, each with its path and codec.
    """

    render: Callable[[Any], Any]
    parse: Callable[[Any], Any]
    plain: Callable[[Pointer], Pointer]
    leaves: tuple[tuple[Path, Path], ...] = (((), ()),)
    constants: tuple[tuple[Path, str], ...] = ()
    keys: Mapping[str, tuple[Path, Codec]] = field(default_factory=dict)


#: For values that travel unchanged.
AS_IS = Codec(lambda value: value, lambda value: value, lambda pointer: pointer)


def codec_of(annotation: Any) -> Codec:
    """The codec for a parameter, or for a key of a TypedDict."""
    plain, markers = unwrap(annotation)
    if marker := marker_of(markers, Linkage):
        return _linkage(marker.type)
    if marker := marker_of(markers, Linkages):
        return _many(_linkage(marker.type))
    if marker := marker_of(markers, Resource):
        return _resource(marker.type, plain)
    if marker := marker_of(markers, Resources):
        return _many(_resource(marker.type, get_args(plain)[0]))
    if is_typeddict(plain):
        return _mapping(plain)
    if get_origin(plain) is list:
        item = codec_of(get_args(plain)[0])
        return _many(item) if item is not AS_IS else AS_IS
    return AS_IS


def _linkage(kind: str) -> Codec:
    def parse(value: Any) -> Any:
        return value.get("id") if isinstance(value, Mapping) and value.get("type", kind) == kind else value

    return Codec(
        lambda value: {"type": kind, "id": value}, parse, lambda pointer: (), ((("id",), ()),), ((("type",), kind),)
    )


def _many(item: Codec) -> Codec:
    def listed(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: [convert(each) for each in value] if isinstance(value, list | tuple) else value

    return Codec(listed(item.render), listed(item.parse), lambda pointer: (*pointer[:1], *item.plain(pointer[1:])))


@dataclass(slots=True)
class _Keys:
    """The keys of a TypedDict with their places and shapes, and the types of the resources on the way."""

    paths: dict[str, tuple[Path, Codec]] = field(default_factory=dict)
    types: dict[str, tuple[tuple[Path, str], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Any, place_of: Callable[[str], Path]) -> _Keys:
        keys = cls()
        for key, annotation in get_type_hints(kind, include_extras=True).items():
            at = marker_of(unwrap(annotation)[1], At)
            keys.paths[key] = (tuple(at.path.split(".")) if at else place_of(key), codec_of(annotation))
            keys.types[key] = at.types if at else ()
        return keys

    def leaves(self) -> Iterator[tuple[Path, Path]]:
        for key, (path, codec) in self.paths.items():
            for below, keys in codec.leaves:
                yield (*path, *below), (key, *keys)

    def constants(self) -> Iterator[tuple[Path, str]]:
        for key, (path, codec) in self.paths.items():
            for below, value in codec.constants:
                yield (*path, *below), value
            yield from self.types[key]

    def plain(self, pointer: Pointer) -> Pointer:
        for key, (path, codec) in self.paths.items():
            if pointer[: len(path)] == path:
                return (key, *codec.plain(pointer[len(path) :]))
        return pointer

    def render(self, value: Any, into: dict[str, Any]) -> dict[str, Any]:
        for key, each in value.items():
            path, codec = self.paths[key]
            put(into, path, None if each is None else codec.render(each))
            for type_place, kind in self.types[key]:
                put(into, type_place, kind)
        return into

    def parse_each(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The values of plain names, each of which may be plain or rendered."""
        return {key: self.paths[key][1].parse(each) if key in self.paths else each for key, each in value.items()}

    def parse(self, value: Any) -> Any:
        """A rendered mapping by its plain names; what has none stays where it was, for the type check to refuse."""
        rest = _copy(value)
        for path, _ in self.paths.values():
            _drop_null(rest, path)
        plain: dict[str, Any] = {}
        for key, (path, codec) in self.paths.items():
            found, each = take(rest, path)
            if found:
                plain[key] = codec.parse(each)
        for type_place, kind in [pair for pairs in self.types.values() for pair in pairs]:
            found, each = take(rest, type_place)
            if found and each != kind:
                put(rest, type_place, each)
        return {**rest, **plain}


def _mapping(kind: Any) -> Codec:
    keys = _Keys.of(kind, lambda key: (key,))
    return Codec(
        lambda value: keys.render(value, {}),
        lambda value: keys.parse(value) if isinstance(value, Mapping) else value,
        keys.plain,
        tuple(keys.leaves()),
        tuple(keys.constants()),
    )


def _resource(kind: str, attributes: Any) -> Codec:
    def place_of(key: str) -> Path:
        return ("id",) if key == "id" else ("attributes", key)

    keys = _Keys.of(attributes, place_of) if is_typeddict(attributes) else _Keys()
    # Klaviyo insists on `attributes`, even where an id says everything.
    has_attributes = any(path[0] == "attributes" for path, _ in keys.paths.values())

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

    return Codec(
        lambda value: keys.render(value, empty()),
        parse,
        keys.plain,
        tuple(keys.leaves()),
        ((("type",), kind), *keys.constants()),
        keys.paths,
    )


def put(into: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path, creating dictionaries along the way."""
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value


def put_missing(body: dict[str, Any], path: Path, defaults: Mapping[str, Any]) -> None:
    """Set what a resource at a path has in any case, such as its type, but only if the resource is there."""
    resource: Any = body
    for depth, name in enumerate(path):
        if name not in resource:
            if depth:
                return
            resource[name] = {}
        resource = resource[name]
        if not isinstance(resource, dict):
            return
    for name, value in defaults.items():
        if name not in resource:
            resource[name] = {} if value == {} else value


def take(out_of: dict[str, Any], path: Path) -> tuple[bool, Any]:
    """Remove and return the value at a path, along with the dictionaries that this empties."""
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
    """Remove a null above a path: it means the same as leaving the whole thing out."""
    for depth in range(len(path) - 1):
        holder = inside(out_of, path[:depth])
        if holder.get(path[depth], path) is None:
            del holder[path[depth]]


def inside(mapping: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    """The dictionary at a path; an empty one if there is none."""
    found: Any = mapping
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _copy(value: Any) -> dict[str, Any]:
    return {name: _copy(each) if isinstance(each, Mapping) else each for name, each in value.items()}
