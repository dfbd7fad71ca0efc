"""Segments: create and update. Members are not computed; only the initial segment "Everyone" has any."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.sections import generic
from sandbox.times import to_iso


def create_segment(call: Call) -> Reply:
    """Create a segment, without members."""
    _check_definition(call.attributes["definition"])
    at = to_iso(call.now)
    attributes = {
        "name": call.attributes["name"],
        "definition": call.attributes["definition"],
        "created": at,
        "updated": at,
        "is_active": True,
        "is_processing": False,
        "is_starred": bool(call.attributes.get("is_starred")),
    }
    return documents.single(call, call.store.add("segment", attributes))


def update_segment(call: Call) -> Reply:
    """Update the name, definition or flags."""
    if call.attributes.get("definition"):
        _check_definition(call.attributes["definition"])
    return generic.change(call)


def _check_definition(definition: dict[str, Any]) -> None:
    place = "/data/attributes/definition"
    groups = definition["condition_groups"]
    if not groups:
        raise invalid("At least one condition group is required.", f"{place}/condition_groups")
    for index, group in enumerate(groups):
        if not group["conditions"]:
            raise invalid("At least one condition is required.", f"{place}/condition_groups/{index}/conditions")
