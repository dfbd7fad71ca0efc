"""The parameters of an action, read from a function's signature: their types and their places in a request. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import get_type_hints

from worker.api.wire import (
    Aside,
    At,
    Codec,
    Header,
    Linkage,
    Linkages,
    NotNull,
    Path,
    Query,
    Resource,
    Resources,
    codec_of,
    marker_of,
    query_name,
    unwrap,
)
from worker.tiers import Bucket, Limits

Params = dict[str, Any]
Location = Literal["path", "query", "header", "body", "aside"]

#: The markers of parameters for which Klaviyo takes no null.
_NOT_NULL = (NotNull, Linkage, Linkages, Resource, Resources)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, with its type and its location in the request, as OpenAPI calls it."""

    name: str
    annotation: Any
    required: bool
    default: Any
    location: Location
    path: Path
    codec: Codec
    item_bytes: int | None

    @property
    def nullable(self) -> bool:
        """Whether None travels as null. Relationships and resources are left out instead."""
        return self.location == "body" and not any(isinstance(each, _NOT_NULL) for each in unwrap(self.annotation)[1])

    @property
    def wire(self) -> str:
        """The wire path as people write it: ``data.attributes.email``, ``page[size]``."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Extra:
    """An account-wide bucket that one value of a list parameter draws on."""

    parameter: str
    value: str
    bucket: Bucket


class DeclarationError(TypeError):
    """A declaration that contradicts itself; raised at import."""


Refuse = Callable[[str], DeclarationError]


def read_parameters(
    function: Callable[..., Any],
    signature: inspect.Signature,
    method: str,
    path: str,
    type: str | None,
    refuse: Refuse,
) -> Iterator[Parameter]:
    """Read the parameters of a function.

    Raises:
        DeclarationError: one would be in the body of a GET.

    """
    hints = get_type_hints(function, include_extras=True)
    for name, each in signature.parameters.items():
        markers = unwrap(hints[name])[1]
        at, query, header = marker_of(markers, At), marker_of(markers, Query), marker_of(markers, Header)
        location: Location
        if f"{{{name}}}" in path:
            location, where = "path", name
        elif marker_of(markers, Aside):
            location, where = "aside", name
        elif header:
            location, where = "header", header.name
        elif at:
            location, where = "body", at.path
        elif query or method in ("GET", "DELETE") or not type or _is_query(name, path):
            location, where = "query", query.name if query else query_name(name)
        else:
            location, where = "body", f"data.attributes.{name}"
        if location == "body" and method == "GET":
            raise refuse(f"parameter {name!r} belongs in the body, but a GET has none")
        resources = marker_of(markers, Resources)
        yield Parameter(
            name=name,
            annotation=hints[name],
            required=each.default is inspect.Parameter.empty,
            default=None if each.default is inspect.Parameter.empty else each.default,
            location=location,
            path=tuple(where.split(".")) if location == "body" else (where,),
            codec=codec_of(hints[name]),
            item_bytes=resources.max_bytes if resources else None,
        )


def _is_query(name: str, path: str) -> bool:
    return name.startswith(("fields_", "additional_fields_")) or (name == "company_id" and path.startswith("/client/"))


def read_constants(parameters: Iterable[Parameter], type: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the places in the body whose value is fixed, such as the type of a resource."""
    if type:
        yield ("data", "type"), type
    for parameter in parameters:
        if parameter.location == "body":
            for below, value in parameter.codec.constants:
                yield (*parameter.path, *below), value
            if marker := marker_of(unwrap(parameter.annotation)[1], At):
                for place, value in marker.types:
                    yield place, value


def read_extras(extra: Mapping[str, str], parameters: Mapping[str, Parameter]) -> Iterator[Extra]:
    """Read the extra buckets of a declaration: ``{"include=lists": "1/s 15/m"}``."""
    for rule, limits in extra.items():
        parameter, _, value = rule.partition("=")
        yield Extra(parameter, value, Bucket(f"{parameters[parameter].wire}={value}", Limits.parse(limits)))


def attribute_paths(parameters: Iterable[Parameter]) -> tuple[Path, ...]:
    """The paths of the resources in the body whose ``attributes`` must be there, even if they are empty."""
    found: dict[Path, None] = {}
    for parameter in parameters:
        if parameter.location == "body":
            for below, _ in parameter.codec.leaves:
                path = (*parameter.path, *below)
                found |= {path[:depth]: None for depth, name in enumerate(path) if name == "attributes"}
    return tuple(found)
