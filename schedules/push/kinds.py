"""What can be pushed: the kinds of records, as data, and one push as its user says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import orjson

from tasks.imports.kinds import KINDS as IMPORTS
from tasks.imports.kinds import Kind as Import
from tasks.imports.run import Rows
from tasks.imports.upsert import READ
from worker.accounts import DEFAULT
from worker.action import Action
from worker.errors import InputError

Delete = Literal["none", "missing"]

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


@dataclass(frozen=True, slots=True)
class Push:
    """What is to be pushed. ``rows``: a path, ``sql:SELECT …`` on ``database_url``, or mappings.

    ``name`` tells several pushes of one kind apart: each knows its own records only. ``mapping``, ``fixed`` and
    ``time_zone`` are those of an import. ``delete``: whether what the source no longer has is deleted at Klaviyo.
    """

    kind: str
    rows: Rows = field(repr=False)
    name: str = ""
    database_url: str | None = field(default=None, repr=False)
    mapping: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    time_zone: str | None = None
    delete: Delete = "none"
    account: str = DEFAULT

    @property
    def stream(self) -> str:
        """What its runs are called in the store."""
        return f"{self.kind}:{self.name}" if self.name else self.kind

    def checked(self) -> Kind:
        """What kind it is.

        Raises:
            InputError: it contradicts itself.

        """
        if self.kind not in KINDS:
            raise InputError("push", [f"{self.kind!r} is none of {', '.join(KINDS)}"])
        kind = KINDS[self.kind]
        if self.delete == "missing" and kind.delete is None:
            raise InputError("push", [f"{self.kind} are never deleted by a push: only a catalog's records are"])
        return kind
