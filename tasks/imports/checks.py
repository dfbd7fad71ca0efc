"""The checks that every row goes through, a column at a time, by the rules of `tasks.rules`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import orjson

from tasks.imports.addresses import ADDRESS, MAX_LOCAL_CHARACTERS, parse_address
from tasks.imports.block import Block, Rule, Values
from tasks.imports.countries import country_code
from tasks.imports.fields import TEXTS
from tasks.imports.options import Channel
from tasks.imports.phones import are_plain, parse_phone
from tasks.imports.seen_keys import SeenKeys
from tasks.rules import MAX_PROPERTIES, MAX_TEXT_BYTES, of_properties, of_time

#: Addresses, one a line: matching a whole column takes half the time of matching each text.
_ADDRESSES = re.compile(rf"(?>{ADDRESS.pattern}\n)*+")
#: The same in half of that time, for the characters and lengths that most addresses have.
_USUAL = re.compile(
    r"(?>[A-Za-zÀ-ÿ0-9_+-]{1,20}+(?:\.[A-Za-zÀ-ÿ0-9_+-]{1,20}+){0,2}+@[A-Za-z0-9-]{1,40}+(?:\.[A-Za-z0-9-]{1,40}+){1,3}+\n)*+"
)
#: The fields that give the country of a row's phone numbers; for an order, that of the billing address.
COUNTRIES = ("location.country", "profile.location.country", "properties.Billing Country")
#: The field that a channel sends to.
ADDRESSES: dict[Channel, str] = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}


def normalise_contacts(block: Block) -> None:
    """Bring email addresses and phone numbers into the form that Klaviyo accepts, or reject their rows."""
    for name, values in list(block.columns.items()):
        field = block.fields[name]
        if field.form == "email":
            if not _all_addresses(values):
                block.columns[name] = _each(block, name, values, parse_address)
        elif field.form == "phone" and not are_plain(list(filter(None, values))):
            block.columns[name] = _phones(block, name, values, international=bool(field.style))


def _all_addresses(values: Values) -> bool:
    texts = list(filter(None, values)) if "" in values else values
    column = "\n".join([*texts, ""])
    if column.count("\n") != len(texts):
        return False
    if _USUAL.fullmatch(column):
        return True
    return max(map(len, texts)) <= MAX_LOCAL_CHARACTERS and _ADDRESSES.fullmatch(column) is not None


def _each(block: Block, name: str, values: Values, read: Callable[[str], str]) -> list[str]:
    found = [""] * len(values)
    for place, value in enumerate(values):
        try:
            found[place] = read(value) if value else ""
        except ValueError as error:
            block.reject(place, f"{name}: {error}")
    return found


def _phones(block: Block, name: str, values: Values, international: bool) -> list[str]:
    """Read phone numbers, each as one of its row's country, or else of the country in the options."""
    named = next((block.columns[each] for each in COUNTRIES if each in block.columns), None)
    default = block.options.region()
    countries = iter([country_code(each) or default for each in named] if named else [default] * len(values))
    found = [""] * len(values)
    for place, (value, country) in enumerate(zip(values, countries, strict=True)):
        try:
            found[place] = parse_phone(value, country, international) if value else ""
        except ValueError as error:
            block.reject(place, f"{name}: {error}")
    return found


def require_identifier(block: Block, names: Sequence[str]) -> None:
    """Reject rows without an identifier."""
    if any(all(block.column(name)) for name in names):
        return
    for place, given in enumerate(block.rows(names)):
        if not any(given):
            block.reject(place, f"there is no identifier: give one of {', '.join(names)}")


def require_fields(block: Block, names: Iterable[str]) -> None:
    """Reject rows that lack a field which Klaviyo requires."""
    for name in names:
        values = block.column(name)
        if not all(values):
            for place, value in enumerate(values):
                if not value:
                    block.reject(place, f"{name}: is missing")


# Events.


def check_event_limits(block: Block) -> None:
    """Reject events whose times or properties are beyond Klaviyo's limits."""
    if not _are_well_within(block.column("time")):
        block.reject_where("time", lambda value: of_time(value[1:-1]))
    names = [name for name in block.columns if name.partition(".")[0] == "properties"]
    for name in names:
        if name == "properties":
            block.reject_where(name, lambda value: of_properties(orjson.loads(value)))
        elif block.fields[name].form in ("list", "json"):
            block.reject_where(name, lambda value: of_properties({"": orjson.loads(value)}))
        elif block.fields[name].form in TEXTS and max(map(len, block.columns[name]), default=0) * 4 > MAX_TEXT_BYTES:
            block.reject_where(name, lambda value: of_properties({"": value}))
    if len(names) > MAX_PROPERTIES:
        for place, given in enumerate(block.rows(names)):
            if problem := of_properties({str(number): text for number, text in enumerate(given) if text}):
                block.reject(place, f"properties: {problem}")


def write_currencies_in_capitals(block: Block) -> None:
    """Write the codes of currencies as ISO 4217 does; Stripe writes ``usd``."""
    if not all(map(str.isupper, set(values := block.columns.get("value_currency", ())) - {""})):
        block.columns["value_currency"] = [value.upper() for value in values]


def _are_well_within(times: Values) -> bool:
    """Return True if the first and the last time are days away from the bounds, whatever their offsets."""
    given = list(filter(None, times))
    first, last = min(given, default=""), max(given, default="")
    return not given or (of_time(f"{first[1:11]}T00:00:00+23:59") or of_time(f"{last[1:11]}T23:59:59-23:59")) is None


def assign_event_ids(block: Block) -> None:
    """Give every event an id and a time, so that sending the same source twice adds nothing.

    An id is made from the row's content, and from how many identical rows came before: those are events of their own.
    """
    given = block.column("unique_id")
    if not all(given):
        names = sorted(name for name in block.columns if name != "unique_id")
        taken: set[int] = set()
        made = []
        for own, values in zip(given, block.rows(names), strict=True):
            said = "\0".join([f"{name}={value}" for name, value in zip(names, values, strict=True) if value])
            made.append(own or _first_free(said, taken, block.seen))
        block.columns["unique_id"] = made
    began = f'"{block.options.moment.isoformat()}"'
    block.columns["time"] = [time or began for time in block.column("time")]


def _first_free(said: str, taken: set[int], seen: SeenKeys) -> str:
    """Return the first id for this content that no earlier row has.

    Identical rows take the numbers in turn, so a binary search finds the first free one.
    """

    def id_of(number: int) -> str:
        return blake2b(f"{number}\0{said}".encode(), digest_size=16).hexdigest()

    def is_taken(number: int) -> bool:
        key = hash(id_of(number))
        return key in taken or key in seen

    low, high = -1, 0
    while is_taken(high):
        low, high = high, high * 2 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_taken(middle) else (low, middle)
    found = id_of(high)
    taken.add(hash(found))
    return found


# Consent.


def consent_rule(says: Literal["SUBSCRIBED", "UNSUBSCRIBED"]) -> Rule:
    """Fill in the options' channels for rows that have the address and name no channel themselves."""

    def rule(block: Block) -> None:
        times = block.columns.pop("consented_at", None)
        for channel in block.options.channels:
            name = f"subscriptions.{channel}.marketing.consent"
            block.columns[name] = [
                own or (says if address else "")
                for own, address in zip(block.column(name), block.column(ADDRESSES[channel]), strict=True)
            ]
        asked = [name for name in block.columns if name.startswith("subscriptions.")]
        channels = " and ".join(block.options.channels)
        reason = f"there is no address for {channels}" if channels else "there is no channel: subscriptions is empty"
        for place, values in enumerate(block.rows(asked)):
            if not any(values):
                block.reject(place, reason)
        if times:
            for name in asked:
                if name.endswith(".consent"):
                    _default_time(block, name, times)

    return rule


def _default_time(block: Block, consent: str, times: Values) -> None:
    name = f"{consent.rpartition('.')[0]}.consented_at"
    block.columns[name] = [
        own or (time if consents else "")
        for own, time, consents in zip(block.column(name), times, block.column(consent), strict=True)
    ]


def check_consent_times(block: Block) -> None:
    """Check times of consent: Klaviyo requires one in a historical import, and accepts none anywhere else."""
    for name in [name for name in block.columns if name.endswith(".marketing.consent")]:
        times = f"{name.rpartition('.')[0]}.consented_at"
        for place, (consents, time) in enumerate(block.rows((name, times))):
            if time and not block.options.historical:
                block.reject(place, "consented_at: needs historical_import")
            elif consents and not time and block.options.historical:
                block.reject(place, "consented_at: is missing, and historical_import wants it")
            elif time and datetime.fromisoformat(time[1:-1]) > block.options.moment:
                block.reject(place, "consented_at: is not in the past")
