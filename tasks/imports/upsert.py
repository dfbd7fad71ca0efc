"""Catalog records that are to be there in the end: what is new is created, what differs updated, the rest left alone.

Klaviyo's bulk jobs create or update, never both. So what is there is read first, and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tasks.catalog_categories import get_catalog_categories
from tasks.catalog_items import get_catalog_items
from tasks.catalog_variants import get_catalog_variants
from tasks.imports.kinds import KINDS, Kind, catalog_id
from tasks.imports.parts import Part
from tasks.imports.plan import Plan
from tasks.imports.rejects import Rejected
from tasks.jobs.records import value_at
from tasks.jobs.rows import format_rows, parse_rows
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


class _Collected:
    """Items for one action, until they fill a part."""

    def __init__(self, action: str, most: int) -> None:
        self.action = action
        self._most = most
        self._items: list[Any] = []
        self._rows: list[int] = []

    def add(self, row: int, item: Any) -> bool:
        """Take one more; whether it fills the part."""
        self._items.append(item)
        self._rows.append(row)
        return len(self._items) == self._most

    def part(self, number: int, document: Any, path: tuple[str, ...], type: str) -> Part | None:
        """What was collected, as a request like ``document``."""
        if not self._items:
            return None
        body = orjson.loads(orjson.dumps(document))
        body["data"]["type"] = type
        value_at(body, path[:-1])[path[-1]] = self._items
        part = Part(number, orjson.dumps(body), format_rows(self._rows))
        self._items, self._rows = [], []
        return part


def route(made: Iterable[Part | Rejected], plan: Plan, account: str) -> Iterator[Routed | Rejected]:
    """Route the items of these parts to the action that creates or updates them."""
    create = plan.kind
    update = KINDS[create.name.replace("create_", "update_")]
    there = read_existing(READ[create.name], account)
    new, changed = _Collected(create.action, create.max_items), _Collected(update.action, update.max_items)
    document: Any = {}
    number = unchanged = 0

    def full(collected: _Collected) -> Routed:
        nonlocal number, unchanged
        number += 1
        kind = create if collected is new else update
        part = collected.part(number, document, create.path, str(kind.declaration.type))
        routed, unchanged = Routed(collected.action, part, unchanged), 0
        return routed

    for each in made:
        if isinstance(each, Rejected):
            yield each
            continue
        document = orjson.loads(each.body)
        for row, item in zip(parse_rows(each.rows), value_at(document, create.path), strict=True):
            id = catalog_id(item["attributes"]["external_id"])
            if (known := there.get(id)) is None:
                if new.add(row, item):
                    yield full(new)
            elif differs(wanted := as_update(item, update), orjson.loads(known)):
                if changed.add(row, wanted):
                    yield full(changed)
            else:
                unchanged += 1
        value_at(document, create.path[:-1])[create.path[-1]] = []
    for collected in (new, changed):
        routed = full(collected)
        if routed.part is not None or routed.unchanged:
            yield routed


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
