"""What can be pushed, as data: which import takes the rows, what tells records apart, how they are looked up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from tasks.imports.kinds import KINDS as IMPORTS
from tasks.imports.kinds import Kind as Import
from tasks.imports.upsert import READ
from worker.action import Action

#: What identifies a profile: the first of these that it has.
_PROFILE = ("email", "phone_number", "external_id", "id", "_kx")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of push. ``rows`` is the import by which the source is read; only a catalog has the others.

    ``update`` and ``delete`` are the imports for what is at Klaviyo already, ``read`` the action that lists it.
    """

    name: str
    rows: Import
    update: Import | None = None
    delete: Import | None = None
    read: Action[Any] | None = None

    def key(self, item: Mapping[str, Any]) -> str:
        """What tells a record from all others of its kind, of the item as it travels."""
        attributes = item["attributes"]
        if self.name == "events":
            return str(attributes["events"]["data"][0]["attributes"]["unique_id"])
        if self.update:
            return str(attributes["external_id"])
        known = {"id": item.get("id"), **attributes}
        name = next(each for each in _PROFILE if known.get(each))
        return str(known[name]).casefold() if name == "email" else f"{name}:{known[name]}"

    def digest(self, item: Mapping[str, Any]) -> bytes:
        """What changes when the record does. An event is never changed: Klaviyo takes each once."""
        told: Any = self.key(item) if self.name == "events" else item
        return blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _catalog(things: str) -> Kind:
    create = f"create_catalog_{things}"
    update, delete = (IMPORTS[f"{verb}_catalog_{things}"] for verb in ("update", "delete"))
    return Kind(f"catalog_{things}", IMPORTS[create], update, delete, READ[create])


KINDS = {
    kind.name: kind
    for kind in (
        Kind("profiles", IMPORTS["profiles"]),
        Kind("events", IMPORTS["events"]),
        _catalog("items"),
        _catalog("variants"),
        _catalog("categories"),
    )
}
