"""Lists: create, change members, and count them as an additional field."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records.store import Resource
from sandbox.sections import generic
from sandbox.times import to_iso

MAX_MEMBERS_PER_REQUEST = 1000


def create_list(call: Call) -> Reply:
    """Create an empty list. Names need not be unique."""
    at = to_iso(call.now)
    attributes = {"name": call.attributes["name"], "created": at, "updated": at, "opt_in_process": "double_opt_in"}
    return documents.single(call, call.store.add("list", attributes | call.attributes))


def update_list(call: Call) -> Reply:
    """Rename it, or change its opt-in."""
    return generic.change(call)


def add_profiles_to_list(call: Call) -> Reply:
    """Add members, without giving consent."""
    _check_size(call)
    return generic.relate(call)


def remove_profiles_from_list(call: Call) -> Reply:
    """Remove members, without withdrawing consent."""
    _check_size(call)
    return generic.unrelate(call)


def profile_count(call: Call, group: Resource) -> int:
    """How many members a list or a segment has."""
    return len(group.links.get("profiles", ()))


ADDITIONAL = {("list", "profile_count"): profile_count, ("segment", "profile_count"): profile_count}


def _check_size(call: Call) -> None:
    if len(call.body["data"]) > MAX_MEMBERS_PER_REQUEST:
        raise invalid(f"At most {MAX_MEMBERS_PER_REQUEST} profiles are allowed.", "/data")
