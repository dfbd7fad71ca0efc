"""What is looked at in every row, a column at a time, by the rules of `tasks.rules`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import orjson

from tasks.imports.addresses import ADDRESS, MOST_LOCAL, address
from tasks.imports.block import Block, Rule, Values
from tasks.imports.countries import country_code
from tasks.imports.fields import TEXTS
from tasks.imports.options import Channel
from tasks.imports.phones import phone, plain
from tasks.imports.seen import Seen
from tasks.rules import MAX_PROPERTIES, MAX_TEXT, of_properties, of_time

#: Addresses that each stand in a line: one look at a column takes half the time of a look at each of its texts.
_ADDRESSES = re.compile(rf"(?>{ADDRESS.pattern}\n)*+")
#: The same for what most addresses are made of, none of which is too long, in half of that time.
_USUAL = re.compile(
    r"(?>[A-Za-zÀ-ÿ0-9_+-]{1,20}+(?:\.[A-Za-zÀ-ÿ0-9_+-]{1,20}+){0,2}+@[A-Za-z0-9-]{1,40}+(?:\.[A-Za-z0-9-]{1,40}+){1,3}+\n)*+"
)
#: Where a row says from which country its phone numbers are; an order says it by the country of its bill.
COUNTRIES = ("location.country", "profile.location.country", "properties.Billing Country")
#: What a channel writes to.
ADDRESSES: dict[Channel, str] = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}


def well_formed(block: Block) -> None:
    """Addresses and phone numbers have the form that Klaviyo takes, or get it."""
    for name, values in list(block.columns.items()):
        field = block.fields[name]
        if field.form == "email":
            if not _all_addresses(values):
                block.columns[name] = _each(block, name, values, address)
        elif field.form == "phone" and not plain(list(filter(None, values))):
            block.columns[name] = _phones(block, name, values, international=bool(field.style))


def _all_addresses(values: Values) -> bool:
    texts = list(filter(None, values)) if "" in values else values
    column = "\n".join([*texts, ""])
    if column.count("\n") != len(texts):
        return False
    if _USUAL.fullmatch(column):
        return True
    return max(map(len, texts)) <= MOST_LOCAL and _ADDRESSES.fullmatch(column) is not None


def _each(block: Block, name: str, values: Values, read: Callable[[str], str]) -> list[str]:
    found = [""] * len(values)
    for place, value in enumerate(values):
        try:
            found[place] = read(value) if value else ""
        except ValueError as error:
            block.reject(place, f"{name}: {error}")
    return found


def _phones(block: Block, name: str, values: Values, international: bool) -> list[str]:
    """Phone numbers, each of the country that its row names, or else of the one that the options name."""
    told = next((block.columns[each] for each in COUNTRIES if each in block.columns), None)
    default = block.options.region()
    countries = iter([country_code(each) or default for each in told] if told else [default] * len(values))
    found = [""] * len(values)
    for place, (value, country) in enumerate(zip(values, countries, strict=True)):
        try:
            found[place] = phone(value, country, international) if value else ""
        except ValueError as error:
            block.reject(place, f"{name}: {error}")
    return found


def identified(block: Block, names: Sequence[str]) -> None:
    """Every row says whom or what it is about."""
    if any(all(block.column(name)) for name in names):
        return
    for place, given in enumerate(block.rows(names)):
        if not any(given):
            block.reject(place, f"there is no identifier: give one of {', '.join(names)}")


def complete(block: Block, names: Iterable[str]) -> None:
    """Every row has what Klaviyo requires."""
    for name in names:
        values = block.column(name)
        if not all(values):
            for place, value in enumerate(values):
                if not value:
                    block.reject(place, f"{name}: is missing")


# Events.


def event_limits(block: Block) -> None:
    """Times and properties are within what Klaviyo keeps."""
    if not _are_well_within(block.column("time")):
        block.reject_where("time", lambda value: of_time(value[1:-1]))
    names = [name for name in block.columns if name.partition(".")[0] == "properties"]
    for name in names:
        if name == "properties":
            block.reject_where(name, lambda value: of_properties(orjson.loads(value)))
        elif block.fields[name].form in ("list", "json"):
            block.reject_where(name, lambda value: of_properties({"": orjson.loads(value)}))
        elif block.fields[name].form in TEXTS and max(map(len, block.columns[name]), default=0) * 4 > MAX_TEXT:
            block.reject_where(name, lambda value: of_properties({"": value}))
    if len(names) > MAX_PROPERTIES:
        for place, given in enumerate(block.rows(names)):
            if problem := of_properties({str(number): text for number, text in enumerate(given) if text}):
                block.reject(place, f"properties: {problem}")


def _are_well_within(times: Values) -> bool:
    """Whether the first and the last of these times are days away from the bounds, whatever their offsets."""
    said = list(filter(None, times))
    first, last = min(said, default=""), max(said, default="")
    return not said or (of_time(f"{first[1:11]}T00:00:00+23:59") or of_time(f"{last[1:11]}T23:59:59-23:59")) is None


def event_ids(block: Block) -> None:
    """Every event has an id and a time, so that sending the same source twice adds nothing.

    An id is made from what the row says, and from how many rows that say the same came before: those are events, too.
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


def _first_free(said: str, taken: set[int], seen: Seen) -> str:
    """The first id for this content that no earlier row has.

    Rows that say the same take the numbers in turn, so the first free one is found by doubling and halving.
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


def consent(says: Literal["SUBSCRIBED", "UNSUBSCRIBED"]) -> Rule:
    """The channels of the options, for rows that have the address and do not say themselves."""

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


def consent_in_the_past(block: Block) -> None:
    """Klaviyo takes the time of consent for consent that is brought over, insists on it there, and nowhere else."""
    for name in [name for name in block.columns if name.endswith(".marketing.consent")]:
        times = f"{name.rpartition('.')[0]}.consented_at"
        for place, (consents, time) in enumerate(block.rows((name, times))):
            if time and not block.options.historical:
                block.reject(place, "consented_at: goes with historical_import only")
            elif consents and not time and block.options.historical:
                block.reject(place, "consented_at: is missing, and historical_import wants it")
            elif time and datetime.fromisoformat(time[1:-1]) > block.options.moment:
                block.reject(place, "consented_at: is not in the past")
