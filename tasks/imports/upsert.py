"""Catalog records that are to be there in the end: what is new is created, what differs updated, the rest left alone.

Klaviyo's bulk jobs create or update, never both. So what is there is read first, and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tasks.catalog_categories import get_catalog_categories
from tasks.catalog_items import get_catalog_items
from tasks.catalog_variants import get_catalog_variants
from tasks.imports.kinds import KINDS, Kind, catalog_id
from tasks.imports.options import Options
from tasks.imports.parts import Part, Splitter
from tasks.imports.plan import Plan, compile_plan
from tasks.imports.rejects import Rejected
from tasks.jobs.rows import parse_rows
from tasks.rules import value_at
from worker.action import Action
from worker.api.paging import attributes

#: Each kind that compares, and the kind whose rows it takes.
UPSERTS = {f"upsert_catalog_{things}": f"create_catalog_{things}" for things in ("items", "variants", "categories")}

#: The field that holds the ids of a relationship.
_IDS_OF = {"categories": "category_ids", "items": "item_ids"}

#: What lists the things that each kind creates.
READ: dict[str, Action[Any]] = {
    "create_catalog_items": get_catalog_items,
    "create_catalog_variants": get_catalog_variants,
    "create_catalog_categories": get_catalog_categories,
}


@dataclass(frozen=True, slots=True)
class Routed:
    """A part and the action that takes it; ``unchanged`` rows went before it for which there is nothing to do."""

    action: str
    part: Part | None
    unchanged: int = 0


def route(made: Iterable[Part | Rejected], plan: Plan, account: str) -> Iterator[Routed | Rejected]:
    """Route the items of these parts to the action that creates or updates them."""
    create = plan.kind
    update = KINDS[create.name.replace("create_", "update_")]
    there = read_existing(READ[create.name], account)
    new, changed = Splitter(plan), Splitter(compile_plan(update.name, None, Options()))
    number = unchanged = 0

    def routed(kind: Kind, parts: Iterable[Part]) -> Iterator[Routed]:
        nonlocal number, unchanged
        for part in parts:
            number += 1
            before, unchanged = unchanged, 0
            yield Routed(kind.action, replace(part, number=number), before)

    for each in made:
        if isinstance(each, Rejected):
            yield each
            continue
        items = value_at(orjson.loads(each.body), create.path)
        for row, item in zip(parse_rows(each.rows), items, strict=True):
            known = there.get(catalog_id(item["attributes"]["external_id"]))
            if known is None:
                yield from routed(create, new.add([row], orjson.dumps(item)))
            elif differs(wanted := as_update(item, update), orjson.loads(known)):
                yield from routed(update, changed.add([row], orjson.dumps(wanted)))
            else:
                unchanged += 1
    yield from routed(create, new.rest())
    yield from routed(update, changed.rest())
    if unchanged:
        yield Routed(create.action, None, unchanged)


def read_existing(read: Action[Any], account: str) -> dict[str, bytes]:
    """Return the attributes of every record in the catalog, by id, as JSON."""
    pages = read.on(account, lane="bulk").pages()
    return {each["id"]: orjson.dumps(attributes(each)) for page in pages for each in page["data"]}


def as_update(item: Mapping[str, Any], update: Kind) -> dict[str, Any]:
    """Turn a new item into an update of the existing one, without fields that Klaviyo cannot change."""
    kept = {field.keys[0] for field in update.fields.values()} - {"id"}
    attributes = {name: value for name, value in item["attributes"].items() if name in kept}
    related = {name: value for name, value in item.get("relationships", {}).items() if _IDS_OF.get(name) in kept}
    made = {"type": item["type"], "id": catalog_id(item["attributes"]["external_id"]), "attributes": attributes}
    return made | ({"relationships": related} if related else {})


def differs(update: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Return True if an update changes anything. Relationships always count, since they are not read."""
    return bool(update.get("relationships")) or any(
        known.get(name) != value for name, value in update["attributes"].items()
    )
