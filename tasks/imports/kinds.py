"""The kinds of imports, as data: the action that takes the items, and the checks of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from typing_extensions import get_type_hints, is_typeddict

from tasks.imports.block import Rule
from tasks.imports.checks import (
    assign_event_ids,
    check_consent_times,
    check_event_limits,
    consent_rule,
    write_currencies_in_capitals,
)
from tasks.imports.fields import Field, fields_of, item_type, longest
from worker.action import ACTIONS
from worker.api.declaration import Declaration
from worker.api.parameters import Parameter
from worker.api.wire import Path

#: Bytes left free in each request.
MARGIN_BYTES = 10_000

#: What the table of exports calls variants.
VARIANTS = "variants"

#: The field that lists the properties to remove from a profile.
UNSET = "patch_properties.unset"

Read = Callable[[str], str]


@dataclass(frozen=True)
class Kind:
    """One kind of import.

    action: the name of the action that takes the items; items: the parameter for them.
    identifiers: each row must have at least one of these fields.
    key: no two rows may share it: the first of these fields that a row has; fields joined by ``+`` count together.
    also: other names of fields.
    read: conversions of some fields' texts.
    rules: further checks.
    group: the list inside an item in which each row is one entry.
    more: fields that rules turn into others.
    sample: what the smallest item has besides an identifier and the required fields.
    own_choice: it sets what people may have changed themselves since, so `klaviyo reimport` leaves it out.
    """

    name: str
    action: str
    items: str
    identifiers: tuple[str, ...]
    key: tuple[str, ...]
    also: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, Read] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    group: str | None = None
    more: tuple[Field, ...] = ()
    sample: Mapping[str, Any] = field(default_factory=dict)
    own_choice: bool = False

    @property
    def consents(self) -> bool:
        """Whether it gives or withdraws consent, which is by channel."""
        return any(name.startswith("subscriptions.") for name in self.sample)

    @property
    def exported(self) -> str:
        """Its name in the table of exports, in which items are items, whether created or updated."""
        return self.name.partition("_catalog_")[2] or self.name

    @property
    def rest(self) -> str | None:
        """The field that takes columns of any name, if there is one."""
        return next((name for name in ("properties", "custom_metadata") if name in self.fields), None)

    @property
    def declaration(self) -> Declaration:
        """The declaration of the action."""
        return ACTIONS[self.action].declaration

    @property
    def parameter(self) -> Parameter:
        """The parameter that holds the items."""
        return self.declaration.parameters[self.items]

    @property
    def path(self) -> Path:
        """The path of the items in the body."""
        return self.parameter.path

    @property
    def max_items(self) -> int:
        """The maximum number of items in a request."""
        most = longest(self.parameter.annotation)
        assert most is not None, f"{self.action} does not say how many {self.items} it takes"
        return most

    @property
    def max_bytes(self) -> int:
        """The maximum size of a request, in bytes."""
        return self.declaration.max_body - MARGIN_BYTES

    @property
    def max_item_bytes(self) -> int:
        """The maximum size of an item, in bytes."""
        return self.parameter.item_bytes or self.max_bytes

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The fields of a row, by each of their names."""
        item = item_type(self.parameter.annotation)
        found = list(fields_of(item))
        if self.group:
            entry = item_type(get_type_hints(item, include_extras=True)[self.group])
            own = list(fields_of(entry))
            found = [*own, *(each for each in found if each.keys[0] not in (self.group, *(e.name for e in own)))]
        found += self.more
        named = {each.name: each for each in found}
        short = {each.name.partition(".")[2]: each for each in found if self.group and len(each.keys) > 1}
        also = {name: named[target] for name, target in self.also.items()}
        return {**short, **also, **named}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that Klaviyo requires in every item."""
        return tuple(dict.fromkeys(each.name for each in self.fields.values() if each.required))

    @cached_property
    def identifying(self) -> frozenset[str]:
        """The fields that identify a record; in a shop's database their values are often whole numbers."""
        keys = (name for each in self.key for name in each.split("+"))
        return frozenset(("id", *self.identifiers, *keys, *self.read))

    def item(self, row: dict[str, Any]) -> Any:
        """Return the action's item for one row of plain names."""
        if not is_typeddict(item_type(self.parameter.annotation)):
            return row["id"]
        if self.group:
            # Klaviyo requires an event's properties, even if they are empty.
            entry = {"properties": {}, **{name: value for name, value in row.items() if name != "profile"}}
            return {"profile": row.get("profile", {}), self.group: [entry]}
        return row

    def row(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the row in a record that may have the shape of the action's item.

        Raises:
            ValueError: the record holds several rows.

        """
        if self.group is None or not isinstance(record.get(self.group), list):
            return record
        entries = record[self.group]
        if len(entries) != 1 or not isinstance(entries[0], Mapping):
            raise ValueError(f"{self.group}: there are {len(entries)}; write one in each row")
        return {**{name: value for name, value in record.items() if name != self.group}, **entries[0]}


def catalog_id(value: str) -> str:
    """Return Klaviyo's id of a catalog record, given that id or the external id from which Klaviyo makes it."""
    return value if ":::" in value else f"$custom:::$default:::{value}"


_PROFILES = ("email", "phone_number", "external_id", "id", "_kx")
_CATALOG_IDS = dict.fromkeys(("id", "item_id", "category_ids", "item_ids"), catalog_id)
_CONSENTED_AT = Field("consented_at", ("consented_at",), "time", Any)


def _catalog(things: str, one: str) -> Iterator[Kind]:
    by_external_id, by_id = ("external_id",), ("id",)
    yield Kind(
        f"create_catalog_{things}", f"bulk_create_catalog_{things}", things, by_external_id, by_external_id,
        read=_CATALOG_IDS,
    )  # fmt: skip
    for verb, items in (("update", things), ("delete", f"{one}_ids")):
        yield Kind(
            f"{verb}_catalog_{things}", f"bulk_{verb}_catalog_{things}", items, by_id, by_id,
            also={"external_id": "id"}, read=_CATALOG_IDS,
        )  # fmt: skip


KINDS = {
    kind.name: kind
    for kind in (
        Kind("profiles", "bulk_import_profiles", "profiles", _PROFILES, _PROFILES),
        Kind(
            "events",
            "bulk_create_events",
            "events",
            identifiers=tuple(f"profile.{name}" for name in (*_PROFILES, "anonymous_id")),
            key=("unique_id",),
            rules=(write_currencies_in_capitals, check_event_limits, assign_event_ids),
            group="events",
        ),
        *_catalog("items", "item"),
        *_catalog(VARIANTS, "variant"),
        *_catalog("categories", "category"),
        Kind(
            "coupon_codes",
            "bulk_create_coupon_codes",
            "coupon_codes",
            identifiers=("unique_code",),
            key=("coupon_id+unique_code",),
            also={"coupon": "coupon_id", "code": "unique_code"},
        ),
        Kind(
            "subscribe",
            "bulk_subscribe_profiles",
            "profiles",
            identifiers=("email", "phone_number"),
            key=("email", "phone_number"),
            rules=(consent_rule("SUBSCRIBED"), check_consent_times),
            more=(_CONSENTED_AT,),
            sample={"subscriptions.email.marketing.consent": "SUBSCRIBED"},
            own_choice=True,
        ),
        Kind(
            "unsubscribe",
            "bulk_unsubscribe_profiles",
            "profiles",
            identifiers=("email", "phone_number"),
            key=("email", "phone_number"),
            rules=(consent_rule("UNSUBSCRIBED"),),
            sample={"subscriptions.email.marketing.consent": "UNSUBSCRIBED"},
            own_choice=True,
        ),
        Kind("suppress", "bulk_suppress_profiles", "profiles", ("email",), ("email",), own_choice=True),
        Kind("unsuppress", "bulk_unsuppress_profiles", "profiles", ("email",), ("email",), own_choice=True),
    )
}
