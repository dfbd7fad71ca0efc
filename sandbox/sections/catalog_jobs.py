"""Bulk jobs of the catalog: create, update and delete items, variants and categories, 100 per job."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import error
from sandbox.records import catalogs, markers
from sandbox.records.catalogs import CATEGORY, ITEM, VARIANT
from sandbox.records.store import Resource
from sandbox.sections import bulk

MAX_ITEMS, MAX_JOBS = 100, 500
_PLURALS = {ITEM: "items", VARIANT: "variants", CATEGORY: "categories"}


def bulk_create_catalog_items(call: Call) -> Reply:
    """Create items."""
    return _creating(call, ITEM)


def bulk_update_catalog_items(call: Call) -> Reply:
    """Update items."""
    return _updating(call, ITEM)


def bulk_delete_catalog_items(call: Call) -> Reply:
    """Delete items, with their variants."""
    return _deleting(call, ITEM)


def bulk_create_catalog_variants(call: Call) -> Reply:
    """Create variants."""
    return _creating(call, VARIANT)


def bulk_update_catalog_variants(call: Call) -> Reply:
    """Update variants."""
    return _updating(call, VARIANT)


def bulk_delete_catalog_variants(call: Call) -> Reply:
    """Delete variants."""
    return _deleting(call, VARIANT)


def bulk_create_catalog_categories(call: Call) -> Reply:
    """Create categories."""
    return _creating(call, CATEGORY)


def bulk_update_catalog_categories(call: Call) -> Reply:
    """Update categories."""
    return _updating(call, CATEGORY)


def bulk_delete_catalog_categories(call: Call) -> Reply:
    """Delete categories."""
    return _deleting(call, CATEGORY)


def _creating(call: Call, type: str) -> Reply:
    def check(item: bulk.Item, pointer: str) -> list[dict[str, Any]]:
        return catalogs.problems(type, item, pointer, new=True)

    def work(item: bulk.Item, now: float) -> Resource:
        return catalogs.create(call.store, type, item, now)

    return bulk.start(call, _PLURALS[type], check, work, max_items=MAX_ITEMS, max_jobs=MAX_JOBS, key=_external_id)


def _updating(call: Call, type: str) -> Reply:
    def check(item: bulk.Item, pointer: str) -> list[dict[str, Any]]:
        return catalogs.problems(type, item, pointer, new=False)

    def work(item: bulk.Item, now: float) -> Resource:
        return catalogs.update(call.store, type, item, now)

    return bulk.start(call, _PLURALS[type], check, work, max_items=MAX_ITEMS, max_jobs=MAX_JOBS, key=_id)


def _deleting(call: Call, type: str) -> Reply:
    def check(item: bulk.Item, pointer: str) -> list[dict[str, Any]]:
        refused = markers.refused_id(item["id"])
        return [error(400, "The id was refused.", pointer=f"{pointer}/id")] if refused else []

    def work(item: bulk.Item, now: float) -> None:
        catalogs.remove(call.store, type, item["id"])

    return bulk.start(call, _PLURALS[type], check, work, max_items=MAX_ITEMS, max_jobs=MAX_JOBS, key=_id)


def _external_id(item: bulk.Item) -> str:
    return str(item["attributes"]["external_id"])


def _id(item: bulk.Item) -> str:
    """The external id at the end of an id."""
    return str(item["id"]).rpartition(":::")[2]
