"""Custom objects: types are created with a draft of their schema. Records are accepted and discarded."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.reading import documents
from sandbox.records.store import Resource
from sandbox.times import to_iso

NAMESPACE = "custom-objects"


def create_object_type(call: Call) -> Reply:
    """Create a draft, with the schema that was sent or an empty one."""
    sent, at = call.attributes, to_iso(call.now)
    shown = {
        "title": sent["title"],
        "description": sent.get("description") or "",
        "status": "draft",
        "namespace": sent.get("namespace") or NAMESPACE,
        "created_at": at,
        "updated_at": at,
    }
    made = call.store.add("object-type", shown)
    schema = ((sent.get("object-schema") or {}).get("data") or {}).get("attributes") or {}
    _add_schema(call, made, shown | {"visibility": sent.get("visibility") or "private"} | schema)
    return documents.single(call, made)


def create_object_schema(call: Call) -> Reply:
    """Create a new draft of an object type's schema."""
    owners = [call.store.get("object-type", id) for id in call.linkage("object-type")]
    return documents.single(call, _add_schema(call, next(iter(owners), None), call.attributes))


def _add_schema(call: Call, owner: Resource | None, sent: dict[str, Any]) -> Resource:
    store = call.store
    shown = {
        "title": sent["title"],
        "description": sent.get("description") or "",
        "status": sent.get("status") or "draft",
        "properties": sent.get("properties") or [],
        "required": sent.get("required") or [],
        "published_at": None,
        "visibility": sent.get("visibility") or "private",
    }
    schema = store.add("object-schema", shown)
    mapping = ((sent.get("source-mapping") or {}).get("data") or {}).get("attributes") or {}
    empty: dict[str, Any] = {"property_mappings": [], "relationship_mappings": []}
    store.link(schema, "source-mapping", store.add("source-mapping", empty | mapping), call.now)
    if owner is not None:
        for id in owner.linked("draft-schema"):
            store.unlink(owner, "draft-schema", id)
        store.link(owner, "draft-schema", schema, call.now)
        store.link(owner, "schema-versions", schema, call.now)
    return schema
