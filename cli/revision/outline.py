"""What may stand in a body, as one tree, whether from a declaration of ours or from an OpenAPI schema. Pure.

Both are read into the same `Outline`, in the terms of the wire, so that `cli.revision.overlay` can lay one over
the other.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import takewhile
from typing import Any, Literal, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

from worker.api.declaration import Declaration
from worker.api.wire import At, Filled, Linkage, Linkages, Marker, Path, Resource, Resources, marker_of, unwrap

Schema = Mapping[str, Any]
Kind = Literal["object", "array", "string", "number", "integer", "boolean", "any"]

#: JSON's names for the types of single values.
SCALARS: dict[Any, Kind] = {
    str: "string", int: "integer", float: "number", bool: "boolean", datetime: "string", date: "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """One form that a value may have: an object by its keys, an array by its items, or a single value.

    An object without keys and an array without items are unrestricted. ``implied`` are keys that are there without
    being given in a call: constants, stamped ones, objects around other parameters. ``type`` is the TypedDict that
    describes it, which may stand in several places.
    """

    kind: Kind
    values: frozenset[Any] | None = None
    keys: Mapping[str, Outline] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    implied: frozenset[str] = frozenset()
    items: Outline | None = None
    type: Any = None


@dataclass(frozen=True, slots=True)
class Outline:
    """The forms that a value may have, and whether it may be null; None if that is not stated.

    An object that exists only for its contents is never null: it is left out with them.
    """

    forms: tuple[Form, ...]
    null: bool | None = False


#: For a value of which nothing is stated.
FREE = Outline((Form("any"),), null=None)


def constant(value: Any) -> Outline:
    """The outline of a constant."""
    return Outline((Form("string", frozenset([value])),))


# From an OpenAPI file.


def resolve_reference(api: Schema, schema: Schema) -> Schema:
    """Follow the references of a schema."""
    while "$ref" in schema:
        target: Any = api
        for part in schema["$ref"].split("/")[1:]:
            target = target[part]
        # Strictly, keys beside a reference are ignored; Klaviyo means them.
        schema = {**target, "nullable": True} if schema.get("nullable") else target
    return schema


def published(api: Schema, schema: Schema, above: tuple[str, ...] = ()) -> Outline:
    """The outline of a schema in an OpenAPI file; where it contains itself it is unrestricted."""
    if (name := schema.get("$ref", "")) and name in above:
        return FREE
    above = (*above, name)
    schema = resolve_reference(api, schema)
    inner = [published(api, each, above) for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))]
    if inner:
        nulls = {bool(schema.get("nullable")), *(each.null for each in inner)}
        null = True if True in nulls else None if None in nulls else False
        return Outline(tuple(form for each in inner for form in each.forms), null)
    null = bool(schema.get("nullable"))
    if schema.get("properties"):
        keys = {key: published(api, each, above) for key, each in schema["properties"].items()}
        return Outline((Form("object", keys=keys, required=frozenset(schema.get("required", ()))),), null)
    if "items" in schema:
        return Outline((Form("array", items=published(api, schema["items"], above)),), null)
    if not schema.get("type") and not schema.get("enum"):
        return Outline(FREE.forms, null or None)
    listed = schema.get("enum", ())
    null |= None in listed
    values = frozenset(each for each in listed if each is not None)
    if listed and not values:
        return Outline((), null)
    return Outline((Form(schema.get("type", "any"), values or None),), null)


# From a declaration.


def declared(declaration: Declaration, filled: Collection[str] = ()) -> Outline:
    """The outline of what an action sends; ``filled`` are parameters that every call has, given or not."""
    root = _Object()
    for path, value in declaration.constants:
        root.put_constant(path, value)
    if declaration.type:
        root.require("data")
    for parameter in declaration.parameters.values():
        if parameter.location == "body":
            outline = annotation_outline(parameter.annotation)
            root.put(
                parameter.path,
                replace(outline, null=outline.null and parameter.nullable),
                required=parameter.required or parameter.name in filled,
                implied=not parameter.required or _is_relationship(parameter.path),
            )
    # `resolve` turns parameters that do not travel into the rest.
    if declaration.asks_for_something or any(each.location == "aside" for each in declaration.parameters.values()):
        root.put_around([each.path for each in declaration.parameters.values() if each.location == "body"])
    if declaration.sends_id:
        root.put(
            ("data", "id"), annotation_outline(declaration.parameters["id"].annotation), required=True, implied=False
        )
    for path in declaration.resources:
        root.put_attributes(path)
    return root.outline()


def annotation_outline(annotation: Any) -> Outline:
    """The outline of the values that an annotation accepts, as they travel."""
    return _of(annotation, [])


@dataclass(slots=True)
class _Object:
    """An object of a body under construction."""

    keys: dict[str, Outline | _Object] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    implied: set[str] = field(default_factory=set)

    def put(self, path: Path, outline: Outline, *, required: bool, implied: bool) -> None:
        name, *below = path
        if required:
            self.required.add(name)
        if implied or below:
            self.implied.add(name)
        if below:
            inner = self.keys.setdefault(name, _Object())
            # What is inside a parameter is described by its own annotation.
            if isinstance(inner, _Object):
                inner.put(tuple(below), outline, required=required, implied=implied)
        else:
            self.keys[name] = outline

    def put_constant(self, path: Path, value: str) -> None:
        name, *below = path
        if below:
            inner = self.keys.setdefault(name, _Object())
            if isinstance(inner, _Object):
                inner.put_constant(tuple(below), value)
        else:
            self.keys[name] = constant(value)
            self.require(name)

    def put_attributes(self, path: Path) -> None:
        inner: Any = self
        for name in path:
            inner = inner.keys.get(name) if isinstance(inner, _Object) else None
        if isinstance(inner, _Object):
            inner.keys.setdefault("attributes", _Object())
            inner.require("attributes")

    def put_around(self, paths: Sequence[Path]) -> None:
        """Require the objects that enclose all of these paths."""
        inner: Any = self
        for names in takewhile(lambda each: len(set(each)) == 1, zip(*paths, strict=False)):
            inner.require(names[0])
            inner = inner.keys[names[0]]
            if not isinstance(inner, _Object):
                return

    def require(self, name: str) -> None:
        self.required.add(name)
        self.implied.add(name)

    def outline(self, of: Any = None, *, around: bool = False) -> Outline:
        """``around``: the object exists only for its contents, so a single key is there whenever the object is."""
        keys = {
            key: each.outline(around=key not in self.required) if isinstance(each, _Object) else each
            for key, each in self.keys.items()
        }
        others = set(keys) - self.required
        required = self.required | (others if around and len(others) == 1 else set())
        form = Form("object", None, keys, frozenset(required), frozenset(self.implied), None, of)
        return Outline((form,), null=None)


def _of(annotation: Any, markers: list[Marker]) -> Outline:
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        annotation, *metadata = get_args(annotation)
        return _of(annotation, markers + [each for each in metadata if isinstance(each, Marker)])
    if _is_qualifier(origin):
        return _of(get_args(annotation)[0], markers)
    if origin in (typing.Union, types.UnionType):
        members = [_of(each, markers) for each in get_args(annotation)]
        return Outline(tuple(form for each in members for form in each.forms), any(each.null for each in members))
    if annotation is Any:
        return FREE
    if annotation is type(None):
        return Outline((), null=True)
    return Outline((_form(annotation, markers),))


def _form(plain: Any, markers: list[Marker]) -> Form:
    if get_origin(plain) is list:
        return Form("array", items=_of(get_args(plain)[0], [_single_marker(each) for each in markers]))
    if linkage := marker_of(markers, Linkage):
        keys = {"type": constant(linkage.type), "id": Outline((Form("string"),))}
        return Form("object", keys=keys, required=frozenset(keys))
    if is_typeddict(plain):
        return _object(plain, marker_of(markers, Resource))
    if get_origin(plain) is Literal:
        values = get_args(plain)
        return Form(SCALARS[type(values[0])], frozenset(values))
    if plain is dict or get_origin(plain) is dict:
        return Form("object")
    return Form(SCALARS.get(plain, "any"))


def _single_marker(marker: Marker) -> Marker:
    """A marker for a list, as a marker for one of its items."""
    match marker:
        case Linkages(kind):
            return Linkage(kind)
        case Resources(kind):
            return Resource(kind)
    return marker


def _object(kind: Any, resource: Resource | None) -> Form:
    root = _Object()
    for key, annotation in get_type_hints(kind, include_extras=True).items():
        markers = unwrap(annotation)[1]
        at = marker_of(markers, At)
        place: Path = ("attributes", key) if resource and key != "id" else (key,)
        must = _must(kind, key, annotation)
        path = tuple(at.path.split(".")) if at else place
        root.put(
            path,
            annotation_outline(annotation),
            required=must or bool(marker_of(markers, Filled)),
            implied=not must or _is_relationship(path),
        )
        for type_path, value in at.types if at else ():
            root.put_constant(type_path, value)
    if resource:
        root.put_constant(("type",), resource.type)
        if "attributes" in root.keys:
            root.put_attributes(())
    return root.outline(kind).forms[0]


def _is_relationship(path: Path) -> bool:
    """Whether a path is in a relationship: the file requires none, even where nothing can be created without it."""
    return "relationships" in path


def _must(kind: Any, key: str, annotation: Any) -> bool:
    """Whether a key of a TypedDict is required; ``__required_keys__`` cannot read annotations that are strings."""
    return str(get_origin(annotation)).endswith(".Required") or key in kind.__required_keys__


def _is_qualifier(origin: Any) -> bool:
    return str(origin).endswith((".Required", ".NotRequired"))
