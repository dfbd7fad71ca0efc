"""Changing and deleting records of any type, as other users of the account would."""

from collections.abc import Callable, Mapping

from sandbox.records import campaigns, catalogs, forms, profiles
from sandbox.records.catalogs import CATEGORY, ITEM, VARIANT
from sandbox.records.store import Resource, Store
from sandbox.times import YEAR_S, to_iso

SHOWN: Mapping[str, str] = {
    "profile": "last_name",
    "list": "name",
    "segment": "name",
    "campaign": "name",
    "template": "name",
    "flow": "name",
    "form": "name",
    "image": "name",
    "tag": "name",
    ITEM: "title",
    VARIANT: "title",
    CATEGORY: "name",
    "coupon": "description",
    "coupon-code": "expires_at",
}
"""The attribute that shows that a record of a type has changed. Other types never change by themselves."""

_REMOVED: Mapping[str, Callable[[Store, Resource], None]] = {
    "profile": profiles.remove,
    "campaign": campaigns.remove,
    "form": forms.remove,
    ITEM: lambda store, item: catalogs.remove(store, ITEM, item.id),
}
"""How to delete records that take others with them."""


def check(type: str) -> None:
    """Raise ValueError for a type whose records do not change."""
    if type not in SHOWN:
        raise ValueError(f"records of type {type!r} do not change; these do: {', '.join(SHOWN)}")


def change(store: Store, resource: Resource, number: int, now: float) -> None:
    """Change a record visibly at this time. Different numbers make different changes."""
    name = SHOWN[resource.type]
    if name == "expires_at":
        resource.attributes[name] = to_iso(now + YEAR_S + number)
    else:
        former = str(resource.attributes[name] or "").partition(" #")[0]
        resource.attributes[name] = f"{former} #{number}"
    store.touch(resource, now)


def delete(store: Store, resource: Resource) -> None:
    """Delete a record and what goes with it."""
    _REMOVED.get(resource.type, Store.remove)(store, resource)
