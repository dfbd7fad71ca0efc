"""Email templates: their attributes, copying one, and rendering one."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

_TAG = re.compile(r"""\{\{\s*([\w.]+)\s*(?:\|\s*default:\s*(?:"([^"]*)"|'([^']*)')\s*)?\}\}""")


def create(store: Store, sent: Mapping[str, Any], now: float, *, reusable: bool = True) -> Resource:
    """Create a template. One that is not reusable belongs to a message and is not listed."""
    at = to_iso(now)
    template = store.add(
        "template",
        {
            "name": sent["name"],
            "editor_type": sent["editor_type"],
            "html": sent.get("html") or "",
            "text": sent.get("text"),
            "amp": sent.get("amp"),
            "created": at,
            "updated": at,
        },
    )
    template.private |= {"definition": sent.get("definition"), "reusable": reusable}
    return template


def copy(store: Store, original: Resource, name: str, now: float, *, reusable: bool = True) -> Resource:
    """Create a template like another one."""
    sent = original.attributes | {"name": name, "definition": original.private["definition"]}
    return create(store, sent, now, reusable=reusable)


def render(source: str | None, context: Mapping[str, Any]) -> str | None:
    """The text with its `{{ variables }}` replaced; one that the context lacks becomes its default, or nothing."""
    return None if source is None else _TAG.sub(lambda tag: _value(tag, context), source)


def _value(tag: re.Match[str], context: Mapping[str, Any]) -> str:
    value: Any = context
    for name in tag[1].split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return str(value) if value not in (None, "", False) else tag[2] or tag[3] or ""
