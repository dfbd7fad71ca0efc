"""Catalogs: items, variants and categories one at a time, and back-in-stock subscriptions."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import catalogs, profiles
from sandbox.records.catalogs import CATEGORY, ITEM, VARIANT


def create_catalog_item(call: Call) -> Reply:
    """Create an item in the categories that it names."""
    return _created(call, ITEM)


def update_catalog_item(call: Call) -> Reply:
    """Update an item; if it names categories, they replace those that it has."""
    return _updated(call, ITEM)


def delete_catalog_item(call: Call) -> Reply:
    """Delete an item, with its variants."""
    return _deleted(call, ITEM)


def create_catalog_variant(call: Call) -> Reply:
    """Create a variant of the item that it names."""
    return _created(call, VARIANT)


def update_catalog_variant(call: Call) -> Reply:
    """Update a variant."""
    return _updated(call, VARIANT)


def delete_catalog_variant(call: Call) -> Reply:
    """Delete a variant; its item stays."""
    return _deleted(call, VARIANT)


def create_catalog_category(call: Call) -> Reply:
    """Create a category with the items that it names."""
    return _created(call, CATEGORY)


def update_catalog_category(call: Call) -> Reply:
    """Update a category; if it names items, they replace those that it has."""
    return _updated(call, CATEGORY)


def delete_catalog_category(call: Call) -> Reply:
    """Delete a category; its items stay."""
    return _deleted(call, CATEGORY)


def create_back_in_stock_subscription(call: Call) -> Reply:
    """Create or update the profile; nothing is ever back in stock here."""
    if not call.attributes["channels"]:
        raise invalid("At least one channel is required.", "/data/attributes/channels")
    place = "/data/attributes/profile/data"
    item = (call.attributes.get("profile") or {}).get("data")
    if not isinstance(item, dict):
        raise invalid("A profile is required.", place)
    profiles.check(item, place)
    for id in call.linkage("variant"):
        call.store.get(VARIANT, id)
    profiles.upsert(call.store, item, call.now)
    return Reply()


def _created(call: Call, type: str) -> Reply:
    catalogs.check(type, call.data, new=True)
    return documents.single(call, catalogs.create(call.store, type, call.data, call.now))


def _updated(call: Call, type: str) -> Reply:
    catalogs.check(type, call.data, new=False)
    item = {**call.data, "id": call.path_id}
    return documents.single(call, catalogs.update(call.store, type, item, call.now))


def _deleted(call: Call, type: str) -> Reply:
    catalogs.remove(call.store, type, call.path_id)
    return Reply()
