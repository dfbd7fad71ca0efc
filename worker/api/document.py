"""Whether an answer has the shape of a JSON:API document, so that whoever reads it need not ask again. Pure.

What its attributes hold is another matter: whoever reads one takes it as it comes.
"""

from __future__ import annotations

from typing import Any


def problem(document: Any) -> str | None:
    """What is wrong with its shape, in words that hold nobody's data; None where nothing is."""
    if not isinstance(document, dict):
        return "it is no object"
    data, included, links, meta = (document.get(name) for name in ("data", "included", "links", "meta"))
    if not isinstance(links, dict | None):
        return "its links are no object"
    if not isinstance(meta, dict | None):
        return "its meta is no object"
    if not isinstance((links or {}).get("next"), str | None):
        return "the address of its next page is no text"
    if isinstance(data, list):
        if not all(map(_is_named, data)):
            return "not all of its data are resources"
    elif not (data is None or _is_resource(data)):
        return "its data are no resource"
    if not isinstance(included, list | None) or not all(map(_is_named, included or ())):
        return "not all that it includes are resources"
    return None


def _is_resource(value: Any) -> bool:
    """Whether this may be one resource: a report has no id."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind | None)
        for name, kind in (("type", str), ("id", str), ("attributes", dict), ("relationships", dict))
    )


def _is_named(value: Any) -> bool:
    """Whether this is one resource of several, with what tells it from the others."""
    return _is_resource(value) and bool(value.get("type") and value.get("id"))
