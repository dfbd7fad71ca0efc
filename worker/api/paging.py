"""Lists that come page by page: how the first page is asked for, where the next one is, what is on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

from pydantic.fields import FieldInfo

from worker.api.declaration import Declaration, Parameter, Params
from worker.errors import InputError, Malformed

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
    """The parameters of the page after this one; None where it was the last.

    Of the address that Klaviyo gives only the cursor is taken: wherever it leads, Klaviyo is asked.

    Raises:
        Malformed: it is no page, or is followed by itself, and would be for ever.

    """
    if "page_cursor" not in declaration.parameters:
        return None
    if _rows(envelope) is None:
        raise Malformed(declaration.name, "it holds no list")
    try:
        query = parse_qs(urlsplit((envelope.get("links") or {}).get("next") or "").query)
    except ValueError:
        raise Malformed(declaration.name, "the address of its next page is none") from None
    cursor = next((query[name][0] for name in CURSORS if name in query), None)
    if cursor and cursor == params.get("page_cursor"):
        raise Malformed(declaration.name, "the page is followed by itself")
    return {**params, "page_cursor": cursor} if cursor else None


def records(envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a page holds: a list's resources, a report's rows, or the one thing that it is."""
    rows = _rows(envelope)
    if rows is None:
        return [envelope["data"]] if envelope.get("data") else []
    return rows


def _rows(envelope: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of a list or of a report; None where it is neither."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        return data
    attributes = data.get("attributes") or {}
    found = (attributes.get(key) for key in ("results", "data"))
    return next(
        (rows for rows in found if isinstance(rows, list) and all(isinstance(each, dict) for each in rows)), None
    )


def listed(declaration: Declaration, envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of the list that was asked for.

    Raises:
        Malformed: it is none.

    """
    data = envelope.get("data")
    if not isinstance(data, list):
        raise Malformed(declaration.name, "it holds no list")
    return data


def one(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The one resource that was asked for, as far as it was told."""
    data = envelope.get("data")
    return data if isinstance(data, dict) else {}


def attributes(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a resource, as far as it has any."""
    return resource.get("attributes") or {}


def largest(parameter: Parameter) -> int | None:
    """The largest number that an annotation allows, ``page_size: UpTo100``."""
    return next((each.le for each in _constraints(parameter.annotation) if hasattr(each, "le")), None)


def _constraints(annotation: Any) -> Iterator[Any]:
    for each in get_args(annotation):
        if isinstance(each, FieldInfo):
            yield from each.metadata
        elif get_origin(each) is not None:
            yield from _constraints(each)
