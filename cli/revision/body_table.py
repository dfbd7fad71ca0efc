"""Reads the shapes of all request bodies from Klaviyo's OpenAPI file, for `worker.api.body` to check. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from worker.api.body import Shape, Table
from worker.api.body_leaves import BINARY, EMPTY, FORMATS

Schema = Mapping[str, Any]

_COMPONENTS = "#/components/schemas/"


def table(api: Schema) -> Table:
    """The table for an OpenAPI file; shapes used more than once are kept under the file's names for them."""
    written = _Writer(api)
    bodies = {
        operation["operationId"]: written.shape(body)
        for item in api["paths"].values()
        for operation in item.values()
        if isinstance(operation, Mapping) and (body := _body(operation)) is not None
    }
    used = Counter(name for shape in (*written.shapes.values(), *bodies.values()) for name in _names(shape))
    once = {name: shape for name, shape in written.shapes.items() if used[name] == 1 or _is_short(shape)}
    shapes = {name: _inlined(shape, once) for name, shape in written.shapes.items() if name not in once}
    return {
        "shapes": dict(sorted(shapes.items())),
        "bodies": dict(sorted((name, _inlined(shape, once)) for name, shape in bodies.items())),
    }


def text(table: Table) -> str:
    """The table as JSON, one line per shape."""
    parts = (
        f'"{part}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(shape)}' for name, shape in shapes.items()) + "\n}"
        for part, shapes in table.items()
    )
    return "{" + ",\n".join(parts) + "}\n"


def _body(operation: Schema) -> Schema | None:
    contents = (operation.get("requestBody") or {}).get("content") or {}
    schema: Schema | None = next((content["schema"] for content in contents.values()), None)
    return schema


class _Writer:
    """Turns schemas into shapes; those with a name in the file are kept under it."""

    def __init__(self, api: Schema) -> None:
        self._named: Schema = api["components"]["schemas"]
        self.shapes: dict[str, Shape] = {}

    def shape(self, schema: Schema) -> Shape:
        """The shape of a schema."""
        if reference := schema.get("$ref"):
            name = reference.removeprefix(_COMPONENTS)
            if name not in self.shapes:
                self.shapes[name] = "any"  # so that a shape that contains itself finds its name
                self.shapes[name] = self.shape(self._named[name])
            return _nullable(f"#{name}") if schema.get("nullable") else f"#{name}"
        made = self._plain(schema)
        return _nullable(made) if schema.get("nullable") else made

    def _plain(self, schema: Schema) -> Shape:
        if "oneOf" in schema:
            return self._one_of(schema["oneOf"])
        if "enum" in schema:
            return list(schema["enum"])
        kind = schema.get("type", "any")
        if kind == "array":
            return {"items": self.shape(schema["items"])}
        if kind == "object" and "properties" in schema:
            keys = {key: self.shape(each) for key, each in schema["properties"].items()}
            required = [key for key in schema.get("required", ()) if key in keys]
            return {"keys": keys, "required": required} if required else {"keys": keys}
        if kind == "object" and schema.get("maxProperties") == 0:
            return EMPTY
        form: str = schema.get("format", "")
        return form if form in FORMATS or form == BINARY else kind

    def _one_of(self, alternatives: list[Schema]) -> Shape:
        shapes: list[Shape] = []
        for each in alternatives:
            shape = self.shape(each)
            nested = self.shapes[shape[1:]] if isinstance(shape, str) and shape.startswith("#") else shape
            shapes += nested["oneOf"] if isinstance(nested, dict) and "oneOf" in nested else [shape]
        if all(isinstance(each, list) for each in shapes):
            return [value for each in shapes for value in each]
        if set(map(str, shapes)) == {"integer", "number"}:
            return "number"
        return {"oneOf": shapes}


def _nullable(shape: Shape) -> Shape:
    if isinstance(shape, str):
        return shape if shape in ("any", "any?") else f"{shape.removesuffix('?')}?"
    if isinstance(shape, list):
        return shape if None in shape else [*shape, None]
    return {**shape, "null": True}


def _inside(shape: Shape) -> Iterator[Shape]:
    if isinstance(shape, dict):
        yield from shape.get("keys", {}).values()
        yield from shape.get("oneOf", ())
        if "items" in shape:
            yield shape["items"]


def _is_short(shape: Shape) -> bool:
    """Whether a shape is shorter than its name: a word, or a constant."""
    return isinstance(shape, str) or (isinstance(shape, list) and len(shape) == 1)


def _names(shape: Shape) -> Iterator[str]:
    """The names that a shape refers to."""
    if isinstance(shape, str) and shape.startswith("#"):
        yield shape[1:].removesuffix("?")
    for each in _inside(shape):
        yield from _names(each)


def _inlined(shape: Shape, once: Mapping[str, Shape]) -> Shape:
    """A shape in which the names of shapes used only once are replaced by the shapes themselves."""
    if isinstance(shape, str):
        name = shape[1:].removesuffix("?")
        if not shape.startswith("#") or name not in once:
            return shape
        whole = _inlined(once[name], once)
        return _nullable(whole) if shape.endswith("?") else whole
    if isinstance(shape, list):
        return shape
    inside: dict[str, Any] = dict(shape)
    if "keys" in shape:
        inside["keys"] = {key: _inlined(each, once) for key, each in shape["keys"].items()}
    if "oneOf" in shape:
        inside["oneOf"] = [_inlined(each, once) for each in shape["oneOf"]]
    if "items" in shape:
        inside["items"] = _inlined(shape["items"], once)
    return inside
