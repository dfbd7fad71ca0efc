"""Lists that come page by page: requesting the first page, finding the next one, reading what is on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

from pydantic.fields import FieldInfo

from worker.api.declaration import Declaration
from worker.api.parameters import Parameter, Params
from worker.errors import InputError, Malformed

#: Klaviyo's names for a cursor in a URL: in lists, and in reports.
CURSORS = ("page[cursor]", "page_cursor")


def first_page(declaration: Declaration, given: Mapping[str, Any]) -> Params:
    """The valid parameters of the first page, which is as large as Klaviyo allows unless the call gives a size.

    Raises:
        InputError: the call is wrong, or the action does not read.

    """
    if declaration.method != "GET" and "page_cursor" not in declaration.parameters:
        raise InputError(declaration.name, ["it does not read a list, so it has no pages"])
    params = declaration.bind(given)
    size = declaration.parameters.get("page_size")
    if size and params.get("page_size") is None and (most := largest(size)):
        params["page_size"] = most
    return params


def next_page(declaration: Declaration, params: Params, envelope: Mapping[str, Any]) -> Params | None:
    """The parameters of the next page; None if this is the last.

    Only the cursor is taken from the URL that Klaviyo gives, so that wherever it points, Klaviyo is asked.

    Raises:
        Malformed: this is not a page, or it names itself as the next one, which would go on for ever.

    """
    if "page_cursor" not in declaration.parameters:
        return None
    if _rows(envelope) is None:
        raise Malformed(declaration.name, "it does not hold a list")
    try:
        query = parse_qs(urlsplit((envelope.get("links") or {}).get("next") or "").query)
    except ValueError:
        raise Malformed(declaration.name, "the address of its next page is not a URL") from None
    cursor = next((query[name][0] for name in CURSORS if name in query), None)
    if cursor and cursor == params.get("page_cursor"):
        raise Malformed(declaration.name, "the page names itself as the next one")
    return {**params, "page_cursor": cursor} if cursor else None


def page_items(envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is on a page: the resources of a list, the rows of a report, or the single resource."""
    rows = _rows(envelope)
    if rows is None:
        return [envelope["data"]] if envelope.get("data") else []
    return rows


def _rows(envelope: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The items of a list or a report; None if it is neither."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        return data
    attributes = data.get("attributes") or {}
    found = (attributes.get(key) for key in ("results", "data"))
    return next(
        (rows for rows in found if isinstance(rows, list) and all(isinstance(each, dict) for each in rows)), None
    )


def listed(declaration: Declaration, envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of a list.

    Raises:
        Malformed: it is not a list.

    """
    data = envelope.get("data")
    if not isinstance(data, list):
        raise Malformed(declaration.name, "it does not hold a list")
    return data


def one(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The single resource that was requested; empty if the response has none."""
    data = envelope.get("data")
    return data if isinstance(data, dict) else {}


def attributes(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a resource; empty if it has none."""
    return resource.get("attributes") or {}


def largest(parameter: Parameter) -> int | None:
    """The largest number that a parameter's annotation allows, as in ``page_size: UpTo100``; None if unlimited."""
    return next((each.le for each in _constraints(parameter.annotation) if hasattr(each, "le")), None)


def _constraints(annotation: Any) -> Iterator[Any]:
    for each in get_args(annotation):
        if isinstance(each, FieldInfo):
            yield from each.metadata
        elif get_origin(each) is not None:
            yield from _constraints(each)
