"""Events: their rules, what makes two the same, and the metrics that begin with their first event."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sandbox.errors import invalid
from sandbox.records import profiles
from sandbox.records.store import Resource, Store
from sandbox.seeding.seeds import metric_attributes
from sandbox.times import YEAR, parsed, written

MOST_PROPERTIES, MOST_ITEMS, DEEPEST, LONGEST = 400, 4000, 10, 100 * 1024
EARLIEST = 946_684_800.0
"""The first second of the year 2000."""


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event, of a profile that is still to be found."""

    metric: str
    service: str
    time: int
    unique: str
    properties: dict[str, Any]


def checked(attributes: Mapping[str, Any], pointer: str, now: float) -> Event:
    """An event out of the attributes that were sent, or a 400 that points at what breaks a rule."""
    metric = attributes["metric"]["data"]["attributes"]
    if not metric["name"]:
        raise invalid("name is a required field.", f"{pointer}/metric/data/attributes/name")
    properties = attributes["properties"]
    if len(properties) > MOST_PROPERTIES:
        raise invalid(f"At most {MOST_PROPERTIES} properties are allowed.", f"{pointer}/properties")
    _check_value(properties, f"{pointer}/properties", depth=0)
    time = _time(attributes.get("time"), pointer, now)
    value = attributes.get("value")
    unique = str(attributes.get("unique_id") or time)
    more = {"$value": value, "$value_currency": attributes.get("value_currency")}
    stored = properties | {name: given for name, given in more.items() if given is not None} | {"$event_id": unique}
    return Event(metric["name"], metric.get("service") or "api", time, unique, stored)


def record(store: Store, profile: Resource, event: Event, now: float) -> Resource:
    """Store an event, unless this profile has it already."""
    metric = metric_of(store, event.service, event.metric, now)
    key = f"{profile.id}/{metric.id}/{event.unique}"
    present = store.find("event", store.owner_of("event", key) or "")
    if present is not None:
        return present
    at = written(event.time)
    resource = store.add(
        "event",
        {
            "timestamp": event.time,
            "event_properties": event.properties,
            "datetime": at,
            "uuid": str(uuid5(NAMESPACE_OID, key)),
        },
    )
    store.own("event", key, resource.id)
    store.link(resource, "profile", profile, now)
    store.link(resource, "metric", metric, now)
    last = profile.attributes["last_event_date"]
    if last is None or last < at:
        profile.attributes["last_event_date"] = at
    return resource


def profile_of(store: Store, holder: Mapping[str, Any], pointer: str, now: float) -> Resource:
    """The profile that an event names, changed by what is said of it, or created."""
    item = (holder.get("profile") or {}).get("data") or {}
    profiles.check(item, f"{pointer}/profile/data")
    return profiles.upsert(store, item, now)[0]


def doubled(store: Store) -> int:
    """How many events are there twice, by profile, metric and unique id. Must be 0."""
    events = list(store.all("event"))
    keys = {
        (*event.linked("profile"), *event.linked("metric"), event.attributes["event_properties"]["$event_id"])
        for event in events
    }
    return len(events) - len(keys)


def metric_of(store: Store, service: str, name: str, now: float) -> Resource:
    """The metric of a service's events, which begins with the first of them."""
    key = f"{service}/{name}"
    present = store.find("metric", store.owner_of("metric", key) or "")
    if present is not None:
        return present
    metric = store.add("metric", metric_attributes(name, written(now), service.upper(), "API"))
    store.own("metric", key, metric.id)
    return metric


def _time(text: str | None, pointer: str, now: float) -> int:
    if text is None:
        return math.floor(now)
    moment = parsed(text)
    assert moment, "the shape of its body says that it is a time"
    if not EARLIEST <= moment.timestamp() <= now + YEAR:
        raise invalid("Must be after 1999 and at most one year in the future.", f"{pointer}/time")
    return math.floor(moment.timestamp())


def _check_value(value: Any, pointer: str, depth: int) -> None:
    if depth > DEEPEST:
        raise invalid(f"Nested more than {DEEPEST} levels deep.", pointer)
    if isinstance(value, str) and len(value) * 4 > LONGEST and len(value.encode()) > LONGEST:
        raise invalid("A string is longer than 100 KB.", pointer)
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            raise invalid(f"At most {MOST_ITEMS} items are allowed.", pointer)
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
