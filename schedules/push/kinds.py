"""What can be pushed: the kinds of pushes, as data, and one push as its user defines it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import orjson

from tasks.imports.amounts import DecimalMark
from tasks.imports.dates import DayOrder
from tasks.imports.kinds import KINDS as IMPORT_KINDS
from tasks.imports.kinds import Kind as ImportKind
from tasks.imports.run import Rows
from tasks.imports.upsert import READ
from worker.accounts.lookup import DEFAULT
from worker.action import Action
from worker.errors import InputError

Delete = Literal["none", "missing"]

#: What identifies a profile: the first of these that it has.
_PROFILE = ("email", "phone_number", "external_id", "id", "_kx")


@dataclass(frozen=True, slots=True)
class PushKind:
    """One kind of push. ``rows`` is the kind of import by which the source is read; only catalogs have the others.

    ``update`` and ``delete``: the imports for records that Klaviyo already has; ``read``: the action that lists them.
    """

    name: str
    rows: ImportKind
    update: ImportKind | None = None
    delete: ImportKind | None = None
    read: Action[Any] | None = None

    def key(self, item: Mapping[str, Any]) -> str:
        """Return what identifies the record of an item that is sent, among all of its kind."""
        attributes = item["attributes"]
        if self.name == "events":
            return str(attributes["events"]["data"][0]["attributes"]["unique_id"])
        if self.update:
            return str(attributes["external_id"])
        known = {"id": item.get("id"), **attributes}
        name = next(each for each in _PROFILE if known.get(each))
        return str(known[name]).casefold() if name == "email" else f"{name}:{known[name]}"

    def digest(self, item: Mapping[str, Any]) -> bytes:
        """Return a digest that changes when the record does. An event never changes: Klaviyo takes each once."""
        identity: Any = self.key(item) if self.name == "events" else item
        return blake2b(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _catalog(things: str) -> PushKind:
    create = f"create_catalog_{things}"
    update, delete = (IMPORT_KINDS[f"{verb}_catalog_{things}"] for verb in ("update", "delete"))
    return PushKind(f"catalog_{things}", IMPORT_KINDS[create], update, delete, READ[create])


PUSH_KINDS = {
    kind.name: kind
    for kind in (
        PushKind("profiles", IMPORT_KINDS["profiles"]),
        PushKind("events", IMPORT_KINDS["events"]),
        _catalog("items"),
        _catalog("variants"),
        _catalog("categories"),
    )
}


@dataclass(frozen=True, slots=True)
class Push:
    """What to push. ``rows``: a path, ``sql:SELECT …`` on ``database_url``, or mappings.

    ``name`` distinguishes several pushes of one kind: each knows its own records only. ``mapping``, ``fixed``,
    ``time_zone``, ``country``, ``dates`` and ``decimals`` are those of an import, see `tasks.imports.options.Options`.
    ``delete``: whether what the source no longer has is deleted at Klaviyo.
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
    country: str | None = None
    dates: DayOrder | None = None
    decimals: DecimalMark | None = None

    @property
    def stream(self) -> str:
        """Return the name of its runs in the store."""
        return f"{self.kind}:{self.name}" if self.name else self.kind

    def checked(self) -> PushKind:
        """Return its kind, once it is known to be consistent.

        Raises:
            InputError: there is no such kind, or it cannot delete.

        """
        if self.kind not in PUSH_KINDS:
            raise InputError("push", [f"{self.kind!r} cannot be pushed; choose one of {', '.join(PUSH_KINDS)}"])
        kind = PUSH_KINDS[self.kind]
        if self.delete == "missing" and kind.delete is None:
            raise InputError(
                "push", [f"a push never deletes {self.kind}, only items, variants and categories of a catalog"]
            )
        return kind
