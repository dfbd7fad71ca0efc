"""Events: one at a time and in bulk. Both answer 202 without a body, and are done by then."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, gathered, invalid
from sandbox.records import events, profiles
from sandbox.records.events import Event

MAX_EVENTS = 1000


def create_event(call: Call) -> Reply:
    """Record one event."""
    event = events.parse_event(call.attributes, "/data/attributes", call.now)
    profile = events.profile_of(call.store, call.attributes, "/data/attributes", call.now)
    events.record(call.store, profile, event, call.now)
    return Reply()


def bulk_create_events(call: Call) -> Reply:
    """All or none: every event is checked before the first is stored."""
    batch: list[tuple[dict[str, Any], str, list[Event]]] = []
    uniques: list[tuple[str, str]] = []
    errors: list[dict[str, Any]] = []
    for pointer, item in call.items("events-bulk-create", MAX_EVENTS):
        attributes = item.get("attributes") or {}
        here = f"{pointer}/attributes"
        with gathered(errors):
            profiles.check((attributes.get("profile") or {}).get("data") or {}, f"{here}/profile/data")
        checked = []
        for index, one in enumerate((attributes.get("events") or {}).get("data") or ()):
            sent = one.get("attributes") or {}
            place = f"{here}/events/data/{index}/attributes"
            with gathered(errors):
                checked.append(events.parse_event(sent, place, call.now))
            if sent.get("unique_id"):
                uniques.append((f"{place}/unique_id", sent["unique_id"]))
        if not (attributes.get("events") or {}).get("data"):
            raise invalid("At least one event is required.", f"{here}/events/data")
        batch.append((attributes, here, checked))
    if errors:
        raise ApiError(400, errors)
    if sum(len(checked) for _, _, checked in batch) > MAX_EVENTS:
        raise invalid(f"At most {MAX_EVENTS} events are allowed.", "/data/attributes/events-bulk-create/data")
    events.check_unlike(uniques)
    for attributes, here, checked in batch:
        profile = events.profile_of(call.store, attributes, here, call.now)
        for event in checked:
            events.record(call.store, profile, event, call.now)
    return Reply()
