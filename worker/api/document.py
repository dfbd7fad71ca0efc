"""Checks that a response has the structure of a JSON:API document, so that its readers need not check again. Pure.

Attributes are not checked: whoever reads one must expect anything.
"""

from __future__ import annotations

from typing import Any


def problem(document: Any) -> str | None:
    """What is wrong with the structure, in words that contain no data; None if nothing is."""
    if not isinstance(document, dict):
        return "it is not an object"
    data, included, links, meta = (document.get(name) for name in ("data", "included", "links", "meta"))
    if not isinstance(links, dict | None):
        return "its links are not an object"
    if not isinstance(meta, dict | None):
        return "its meta is not an object"
    if not isinstance((links or {}).get("next"), str | None):
        return "the address of its next page is not a string"
    if isinstance(data, list):
        if not all(map(_is_named, data)):
            return "not everything in its data is a resource"
    elif not (data is None or _is_resource(data)):
        return "its data is not a resource"
    if not isinstance(included, list | None) or not all(map(_is_named, included or ())):
        return "not everything that it includes is a resource"
    return None


def _is_resource(value: Any) -> bool:
    """Whether this may be one resource; a report has no id."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind | None)
        for name, kind in (("type", str), ("id", str), ("attributes", dict), ("relationships", dict))
    )


def _is_named(value: Any) -> bool:
    """Whether this is a resource with a type and an id, which every resource in a list has."""
    return _is_resource(value) and bool(value.get("type") and value.get("id"))
