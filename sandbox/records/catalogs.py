"""Catalog items, variants and categories: their attributes and ids, and how to create, update and delete them."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import ApiError, error, not_found, refusal
from sandbox.records import markers
from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

ITEM, VARIANT, CATEGORY = "catalog-item", "catalog-variant", "catalog-category"

_SHARED: dict[str, Any] = {
    "external_id": None,
    "title": None,
    "description": None,
    "price": None,
    "url": None,
    "image_full_url": None,
    "image_thumbnail_url": None,
    "images": [],
    "custom_metadata": {},
    "published": True,
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    ITEM: _SHARED,
    VARIANT: _SHARED | {"sku": None, "inventory_policy": 0, "inventory_quantity": None},
    CATEGORY: {"external_id": None, "name": None},
}
_LINKS = {ITEM: {"categories": CATEGORY}, VARIANT: {"item": ITEM}, CATEGORY: {"items": ITEM}}
_ONLY = {"integration_type": "$custom", "catalog_type": "$default"}


def problems(type: str, item: Mapping[str, Any], pointer: str, *, new: bool) -> list[dict[str, Any]]:
    """What is wrong with an entry that was sent, as error objects that point to it."""
    attributes = item.get("attributes") or {}
    place = f"{pointer}/attributes"
    found = []
    named = attributes.get("external_id") if new else item.get("id")
    if markers.refused_id(named):
        where = f"{place}/external_id" if new else f"{pointer}/id"
        found.append(error(400, f"'{named}' was refused.", pointer=where))
    for name, only in _ONLY.items():
        if attributes.get(name) not in (None, only):
            found.append(error(400, f"Only '{only}' is supported.", pointer=f"{place}/{name}"))
    if new and type == VARIANT and not linkage(item, "item"):
        found.append(error(400, "item is a required field.", pointer=f"{pointer}/relationships/item", code="required"))
    return found


def check(type: str, item: Mapping[str, Any], *, new: bool) -> None:
    """400 for a bad entry."""
    found = problems(type, item, "/data", new=new)
    if found:
        raise ApiError(400, found)


def create(store: Store, type: str, item: Mapping[str, Any], now: float) -> Resource:
    """Create an entry; 409 if its external id is taken, 404 if something that it is related to does not exist."""
    sent = item["attributes"]
    external_id = sent["external_id"]
    id = f"$custom:::$default:::{external_id}"
    if store.find(type, id):
        kind = {ITEM: "An item", VARIANT: "A variant", CATEGORY: "A category"}[type]
        detail = f"{kind} with the external id {external_id} already exists."
        raise refusal(409, detail, code="duplicate", pointer="/data/attributes/external_id")
    targets = _targets(store, type, item)
    given = {name: value for name, value in sent.items() if name not in _ONLY and value is not None}
    at = to_iso(now)
    attributes = _DEFAULTS[type] | given
    # A category does not show when it was created, though it can be sorted by that.
    attributes |= {"updated": at} if type == CATEGORY else {"created": at, "updated": at}
    resource = store.add(type, attributes, id)
    resource.private["created"] = at
    _relate(store, resource, targets, now)
    return resource


def update(store: Store, type: str, item: Mapping[str, Any], now: float) -> Resource:
    """Change attributes, and replace the relationships that are given."""
    resource = store.find(type, item["id"])
    if resource is None:
        raise not_found(type, item["id"])
    targets = _targets(store, type, item)
    resource.attributes |= item.get("attributes") or {}
    for name in targets:
        for id in resource.linked(name):
            store.unlink(resource, name, id)
    _relate(store, resource, targets, now)
    store.touch(resource, now)
    return resource


def remove(store: Store, type: str, id: str) -> None:
    """Delete an entry; an item together with its variants."""
    resource = store.find(type, id)
    if resource is None:
        raise not_found(type, id)
    for variant in list(store.related(resource, "variants")) if type == ITEM else ():
        store.remove(variant)
    store.remove(resource)


def linkage(item: Mapping[str, Any], name: str) -> list[str]:
    """The ids in an object's relationship of this name."""
    data = ((item.get("relationships") or {}).get(name) or {}).get("data") or []
    return [one["id"] for one in (data if isinstance(data, list) else [data])]


def _targets(store: Store, type: str, item: Mapping[str, Any]) -> dict[str, list[Resource]]:
    return {
        name: [store.get(target, id) for id in linkage(item, name)]
        for name, target in _LINKS[type].items()
        if name in (item.get("relationships") or {})
    }


def _relate(store: Store, resource: Resource, targets: Mapping[str, list[Resource]], now: float) -> None:
    for name, others in targets.items():
        for other in others:
            store.link(resource, name, other, now)
