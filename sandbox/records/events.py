"""Events: their rules, what makes two of them the same, and the metrics that their first event creates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sandbox.errors import invalid
from sandbox.records import profiles
from sandbox.records.store import Resource, Store
from sandbox.times import YEAR_S, from_iso, to_iso

MAX_PROPERTIES, MAX_LIST_ITEMS, MAX_DEPTH, MAX_STRING_BYTES = 400, 4000, 10, 100 * 1024
EARLIEST_TIME_S = 946_684_800.0
"""The first second of the year 2000."""


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event whose profile is yet to be found."""

    metric: str
    service: str
    time: int
    unique: str
    properties: dict[str, Any]


def parse_event(attributes: Mapping[str, Any], pointer: str, now: float) -> Event:
    """An event from the attributes that were sent, or a 400 that points to what breaks a rule."""
    metric = attributes["metric"]["data"]["attributes"]
    if not metric["name"]:
        raise invalid("name is a required field.", f"{pointer}/metric/data/attributes/name")
    properties = attributes["properties"]
    if len(properties) > MAX_PROPERTIES:
        raise invalid(f"At most {MAX_PROPERTIES} properties are allowed.", f"{pointer}/properties")
    _check_value(properties, f"{pointer}/properties", depth=0)
    time = _parse_time(attributes.get("time"), pointer, now)
    value = attributes.get("value")
    unique = str(attributes.get("unique_id") or time)
    more = {"$value": value, "$value_currency": attributes.get("value_currency")}
    stored = properties | {name: given for name, given in more.items() if given is not None} | {"$event_id": unique}
    return Event(metric["name"], metric.get("service") or "api", time, unique, stored)


def record(store: Store, profile: Resource, event: Event, now: float) -> Resource:
    """Store an event unless the profile already has it."""
    metric = metric_of(store, event.service, event.metric, now)
    key = f"{profile.id}/{metric.id}/{event.unique}"
    present = store.find("event", store.owner_of("event", key) or "")
    if present is not None:
        return present
    at = to_iso(event.time)
    resource = store.add(
        "event",
        {
            "timestamp": event.time,
            "event_properties": event.properties,
            "datetime": at,
            "uuid": str(uuid5(NAMESPACE_OID, key)),
        },
    )
    store.set_owner("event", key, resource.id)
    store.link(resource, "profile", profile, now)
    store.link(resource, "metric", metric, now)
    last = profile.attributes["last_event_date"]
    if last is None or last < at:
        profile.attributes["last_event_date"] = at
    return resource


def profile_of(store: Store, holder: Mapping[str, Any], pointer: str, now: float) -> Resource:
    """The profile that an event names, updated with what it says, or created."""
    item = (holder.get("profile") or {}).get("data") or {}
    profiles.check(item, f"{pointer}/profile/data")
    return profiles.upsert(store, item, now)[0]


def count_doubled(store: Store) -> int:
    """How many events exist twice, by profile, metric and unique id. Must be 0."""
    events = list(store.all("event"))
    keys = {
        (*event.linked("profile"), *event.linked("metric"), event.attributes["event_properties"]["$event_id"])
        for event in events
    }
    return len(events) - len(keys)


def metric_of(store: Store, service: str, name: str, now: float) -> Resource:
    """The metric of a service's events, created if need be."""
    key = f"{service}/{name}"
    present = store.find("metric", store.owner_of("metric", key) or "")
    if present is not None:
        return present
    metric = store.add("metric", metric_attributes(name, to_iso(now), service.upper(), "API"))
    store.set_owner("metric", key, metric.id)
    return metric


def metric_attributes(name: str, at: str, service: str, category: str) -> dict[str, object]:
    """The attributes of a metric reported by a service."""
    integration = {"object": "integration", "id": service.lower(), "name": service, "category": category}
    return {"name": name, "created": at, "updated": at, "integration": integration}


def _parse_time(text: str | None, pointer: str, now: float) -> int:
    if text is None:
        return math.floor(now)
    moment = from_iso(text)
    assert moment, "the shape of its body says that it is a time"
    if not EARLIEST_TIME_S <= moment.timestamp() <= now + YEAR_S:
        raise invalid("Must be after 1999 and at most one year in the future.", f"{pointer}/time")
    return math.floor(moment.timestamp())


def _check_value(value: Any, pointer: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise invalid(f"Nested more than {MAX_DEPTH} levels deep.", pointer)
    if isinstance(value, str) and len(value) * 4 > MAX_STRING_BYTES and len(value.encode()) > MAX_STRING_BYTES:
        raise invalid("A string is longer than 100 KB.", pointer)
    if isinstance(value, list):
        if len(value) > MAX_LIST_ITEMS:
            raise invalid(f"At most {MAX_LIST_ITEMS} items are allowed.", pointer)
        for index, one in enumerate(value):
            _check_value(one, f"{pointer}/{index}", depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            _check_value(one, f"{pointer}/{name}", depth + 1)


def check_unlike(uniques: list[tuple[str, str]]) -> None:
    """Refuse a batch in which a unique id appears twice. Pairs are of pointer and unique id."""
    seen: set[str] = set()
    for pointer, unique in uniques:
        if unique in seen:
            raise invalid(f"unique_id '{unique}' is repeated in this request.", pointer)
        seen.add(unique)
