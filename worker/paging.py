"""Lists that come page by page: how the first page is asked for, where the next one is, what is on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

from pydantic.fields import FieldInfo

from worker.declaration import Declaration, Parameter, Params
from worker.errors import InputError

#: Klaviyo's names of a cursor in an address: of lists, and of reports.
CURSORS = ("page[cursor]", "page_cursor")


def first_page(declaration: Declaration, given: Mapping[str, Any]) -> Params:
    """The valid parameters of the first page, which is as large as Klaviyo makes it unless the call says a size.

    Raises:
        InputError: the call is wrong, or the action does not read.

    """
    if declaration.method != "GET" and "page_cursor" not in declaration.parameters:
        raise InputError(declaration.name, ["it has no pages: it does not read a list"])
    params = declaration.bind(given)
    size = declaration.parameters.get("page_size")
    if size and params.get("page_size") is None and (most := largest(size)):
        params["page_size"] = most
    return params


def next_page(declaration: Declaration, params: Params, envelope: Mapping[str, Any]) -> Params | None:
    """The parameters of the page after this one; None where it was the last."""
    if "page_cursor" not in declaration.parameters:
        return None
    query = parse_qs(urlsplit((envelope.get("links") or {}).get("next") or "").query)
    cursor = next((query[name][0] for name in CURSORS if name in query), None)
    return {**params, "page_cursor": cursor} if cursor else None


def records(envelope: Mapping[str, Any]) -> list[Any]:
    """What a page holds: a list's resources, a report's rows, or the one thing that it is."""
    data = envelope.get("data")
    if isinstance(data, list):
        return data
    attributes = (data or {}).get("attributes") or {}
    for key in ("results", "data"):
        if isinstance(attributes.get(key), list):
            rows: list[Any] = attributes[key]
            return rows
    return [data] if data else []


def largest(parameter: Parameter) -> int | None:
    """The largest number that an annotation allows, ``page_size: UpTo100``."""
    return next((each.le for each in _constraints(parameter.annotation) if hasattr(each, "le")), None)


def _constraints(annotation: Any) -> Iterator[Any]:
    for each in get_args(annotation):
        if isinstance(each, FieldInfo):
            yield from each.metadata
        elif get_origin(each) is not None:
            yield from _constraints(each)
