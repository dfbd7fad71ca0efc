"""Catalogs: items, variants and categories one at a time, and the wish to hear when something is back in stock."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import catalogs, profiles
from sandbox.records.catalogs import CATEGORY, ITEM, VARIANT


def create_catalog_item(call: Call) -> Reply:
    """An item, in the categories that it names."""
    return _created(call, ITEM)


def update_catalog_item(call: Call) -> Reply:
    """Change an item; its categories become those that it names, if it names any."""
    return _updated(call, ITEM)


def delete_catalog_item(call: Call) -> Reply:
    """With its variants."""
    return _deleted(call, ITEM)


def create_catalog_variant(call: Call) -> Reply:
    """A variant of the item that it names."""
    return _created(call, VARIANT)


def update_catalog_variant(call: Call) -> Reply:
    """Change a variant."""
    return _updated(call, VARIANT)


def delete_catalog_variant(call: Call) -> Reply:
    """Its item stays."""
    return _deleted(call, VARIANT)


def create_catalog_category(call: Call) -> Reply:
    """A category, with the items that it names."""
    return _created(call, CATEGORY)


def update_catalog_category(call: Call) -> Reply:
    """Change a category; its items become those that it names, if it names any."""
    return _updated(call, CATEGORY)


def delete_catalog_category(call: Call) -> Reply:
    """Its items stay."""
    return _deleted(call, CATEGORY)


def create_back_in_stock_subscription(call: Call) -> Reply:
    """The profile becomes known; nothing will ever be back in stock here."""
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
