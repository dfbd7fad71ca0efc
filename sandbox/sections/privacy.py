"""Data privacy: deleting a profile with all of its events."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.records import profiles

_PLACE = "/data/attributes/profile/data"


def request_profile_deletion(call: Call) -> Reply:
    """Delete the profile with one identifier; the answer is the same whether it exists or not."""
    item = call.attributes["profile"]["data"]
    given = {name: value for name, value in (item.get("attributes") or {}).items() if value is not None}
    if len(given) + bool(item.get("id")) != 1:
        raise invalid("Exactly one identifier is required.", f"{_PLACE}/attributes")
    profiles.check(item, _PLACE)
    ids = [item["id"]] if item.get("id") else profiles.matching(call.store, given)
    for id in ids:
        profile = call.store.find("profile", id)
        if profile:
            profiles.remove(call.store, profile)
    return Reply()
