"""Profiles: create, update, upsert, merge; consent and made-up predictions as additional fields."""

from typing import Any
from zlib import crc32

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import consent, profiles
from sandbox.records.store import Resource


def create_profile(call: Call) -> Reply:
    """Create a profile; 409 for an identifier that is taken."""
    profiles.check(call.data, "/data")
    return documents.single(call, profiles.create(call.store, call.attributes, call.now))


def update_profile(call: Call) -> Reply:
    """Update the profile with this id."""
    profile = call.store.get("profile", call.path_id)
    profiles.check(call.data, "/data", identified=False)
    profiles.update(call.store, profile, call.attributes, call.data.get("meta"), call.now)
    return documents.single(call, profile)


def create_or_update_profile(call: Call) -> Reply:
    """201 for a new profile, 200 for one that was updated."""
    profiles.check(call.data, "/data")
    profile, new = profiles.upsert(call.store, call.data, call.now)
    return documents.single(call, profile, status=201 if new else 200)


def merge_profiles(call: Call) -> Reply:
    """Merge one other profile into this one, and delete it."""
    sources = call.linkage("profiles")
    if len(sources) != 1 or sources[0] == call.data["id"]:
        raise invalid("Exactly one other profile is required.", "/data/relationships/profiles/data")
    destination = call.store.get("profile", call.data["id"])
    profiles.merge(call.store, call.store.get("profile", sources[0]), destination, call.now)
    address = documents.address(call, destination)
    data = {"type": "profile", "id": destination.id, "links": {"self": address}}
    return Reply({"data": data, "links": {"self": address}})


def subscriptions(call: Call, profile: Resource) -> Any:
    """The consent by channel."""
    return consent.consent_of(profile)


def predictive_analytics(call: Call, profile: Resource) -> dict[str, Any]:
    """Meaningless numbers, always the same for a profile."""
    orders = crc32(profile.id.encode()) % 7
    return {
        "historic_clv": 42.5 * orders,
        "predicted_clv": 12.0 * orders,
        "total_clv": 54.5 * orders,
        "historic_number_of_orders": orders,
        "predicted_number_of_orders": round(0.3 * orders, 2),
        "average_days_between_orders": 30 if orders else None,
        "average_order_value": 42.5 if orders else None,
        "churn_probability": round(1 / (1 + orders), 2),
        "expected_date_of_next_order": None,
        "ranked_channel_affinity": ["email", "sms", "push"],
    }


ADDITIONAL = {
    ("profile", "subscriptions"): subscriptions,
    ("profile", "predictive_analytics"): predictive_analytics,
}
