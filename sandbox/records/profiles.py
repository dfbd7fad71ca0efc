"""Profiles: their attributes and identifiers, and how to create, update and merge them."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from sandbox.errors import ApiError, error, invalid, refusal
from sandbox.records import markers
from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

IDENTIFIERS = ("email", "phone_number", "external_id")
TRACES = ("_kx", "anonymous_id")
"""These identify a profile too, but are not among its attributes."""

PLAIN = ("first_name", "last_name", "organization", "locale", "title", "image")
LOCATION = (
    "address1",
    "address2",
    "city",
    "country",
    "latitude",
    "longitude",
    "region",
    "zip",
    "timezone",
    "ip",
)
MAX_BYTES = 100 * 1024

_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]{2,}")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


def problems(item: Mapping[str, Any], pointer: str) -> list[dict[str, Any]]:
    """What is wrong with a profile that was sent, as error objects that point to it."""
    attributes = item.get("attributes") or {}
    found = []
    email, phone = attributes.get("email"), attributes.get("phone_number")
    if email is not None and not _EMAIL.fullmatch(email):
        found.append(error(400, "Invalid email address.", pointer=f"{pointer}/attributes/email"))
    elif markers.refused_email(email):
        found.append(error(400, "The email address was refused.", pointer=f"{pointer}/attributes/email"))
    if phone is not None and not _PHONE.fullmatch(phone):
        found.append(
            error(
                400,
                "Invalid phone number format (E.164 is required).",
                pointer=f"{pointer}/attributes/phone_number",
            )
        )
    return found


def check(item: Mapping[str, Any], pointer: str, *, identified: bool = True) -> None:
    """400 for a bad profile, one of more than 100 KB or, if it must be `identified`, one without an identifier."""
    found = problems(item, pointer)
    if identified and not found and not is_identified(item):
        found.append(error(400, "One or more identifiers must be provided.", pointer=f"{pointer}/attributes"))
    if found:
        raise ApiError(400, found)
    check_size(item, pointer)


def check_size(item: Mapping[str, Any], pointer: str) -> None:
    """400 for a profile of more than 100 KB."""
    if len(orjson.dumps(item)) > MAX_BYTES:
        raise invalid("The profile is larger than 100 KB.", pointer)


def is_identified(item: Mapping[str, Any]) -> bool:
    """Whether it has an identifier."""
    attributes = item.get("attributes") or {}
    return bool(item.get("id") or any(attributes.get(name) for name in (*IDENTIFIERS, *TRACES)))


def matching(store: Store, attributes: Mapping[str, Any]) -> list[str]:
    """The ids of all profiles that have one of these identifiers."""
    owners = (store.owner_of(name, attributes[name]) for name in (*IDENTIFIERS, *TRACES) if attributes.get(name))
    return list(dict.fromkeys(owner for owner in owners if owner))


def create(store: Store, attributes: Mapping[str, Any], now: float) -> Resource:
    """Create a profile; 409 if one of its identifiers is taken."""
    taken = matching(store, attributes)
    if taken:
        raise duplicate(taken[0])
    profile = store.add("profile", blank(to_iso(now)))
    _write(store, profile, attributes)
    if store.everyone:
        store.link(store.everyone, "profiles", profile, now)
    return profile


def blank(at: str) -> dict[str, Any]:
    """The attributes of a profile about which nothing is known."""
    return {
        **dict.fromkeys((*IDENTIFIERS, *PLAIN)),
        "created": at,
        "updated": at,
        "last_event_date": None,
        "location": dict.fromkeys(LOCATION),
        "properties": {},
    }


def update(
    store: Store, profile: Resource, attributes: Mapping[str, Any], meta: Mapping[str, Any] | None, now: float
) -> None:
    """Change what is given; null clears. 409 if an identifier belongs to another profile."""
    others = [id for id in matching(store, attributes) if id != profile.id]
    if others:
        raise duplicate(others[0])
    _write(store, profile, attributes)
    _patch_properties(profile.attributes["properties"], (meta or {}).get("patch_properties") or {})
    store.touch(profile, now)


def upsert(store: Store, item: Mapping[str, Any], now: float) -> tuple[Resource, bool]:
    """Update the profile with these identifiers, or create one; also returns whether it is new."""
    attributes = item.get("attributes") or {}
    meta = item.get("meta") or attributes.get("meta")
    if item.get("id"):
        profile = store.get("profile", item["id"])
        update(store, profile, attributes, meta, now)
        return profile, False
    found = matching(store, attributes)
    if len(found) > 1:
        raise duplicate(found[0])
    profile = store.get("profile", found[0]) if found else create(store, attributes, now)
    if found or meta:
        update(store, profile, attributes, meta, now)
    return profile, not found


def merge(store: Store, source: Resource, destination: Resource, now: float) -> None:
    """Move the source's events and memberships, and values that the destination lacks; delete the source."""
    kept = source.attributes
    for name, relation in source.links.items():
        for id in list(relation):
            other = store.find("event" if name == "events" else store.relations.of("profile")[name].target, id)
            inverse = "profile" if name == "events" else store.relations.inverse("profile", name)
            if other is None or inverse is None:
                continue
            store.unlink(other, inverse, source.id)
            store.link(other, inverse, destination, now)
    remove(store, source)
    missing = {name: kept[name] for name in (*IDENTIFIERS, *PLAIN) if destination.attributes[name] is None}
    _write(store, destination, {name: value for name, value in missing.items() if value is not None})
    destination.attributes["properties"] = kept["properties"] | destination.attributes["properties"]
    store.touch(destination, now)


def remove(store: Store, profile: Resource) -> None:
    """Delete a profile, its identifiers and its events."""
    for name in (*IDENTIFIERS, *TRACES):
        value = profile.attributes.get(name) or profile.private.get(name)
        if value:
            store.set_owner(name, value, None)
    for id in profile.linked("events"):
        event = store.find("event", id)
        if event:
            store.remove(event)
    store.remove(profile)


def duplicate(id: str) -> ApiError:
    """409 with the id of the profile that has the identifier."""
    return refusal(
        409,
        "A profile already exists with one of these identifiers.",
        code="duplicate_profile",
        title="Conflict.",
        pointer="/data/attributes",
        meta={"duplicate_profile_id": id},
    )


def _write(store: Store, profile: Resource, sent: Mapping[str, Any]) -> None:
    attributes = profile.attributes
    for name in (*IDENTIFIERS, *TRACES):
        if name not in sent:
            continue
        holder = attributes if name in IDENTIFIERS else profile.private
        if holder.get(name):
            store.set_owner(name, holder[name], None)
        holder[name] = sent[name]
        if sent[name]:
            store.set_owner(name, sent[name], profile.id)
    for name in PLAIN:
        if name in sent:
            attributes[name] = sent[name]
    if "location" in sent:
        attributes["location"] |= sent["location"] or dict.fromkeys(LOCATION)
    if "properties" in sent:
        merged = attributes["properties"] | (sent["properties"] or {})
        attributes["properties"] = {name: value for name, value in merged.items() if value is not None}


def _patch_properties(properties: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply append, unappend and unset of `meta.patch_properties`. Appending twice appends twice."""
    for name, value in (patch.get("append") or {}).items():
        present = properties.get(name)
        listed = present if isinstance(present, list) else [] if present is None else [present]
        properties[name] = listed + (value if isinstance(value, list) else [value])
    for name, value in (patch.get("unappend") or {}).items():
        unwanted = value if isinstance(value, list) else [value]
        if isinstance(properties.get(name), list):
            properties[name] = [one for one in properties[name] if one not in unwanted]
    unset = patch.get("unset") or []
    for name in [unset] if isinstance(unset, str) else unset:
        properties.pop(name, None)
