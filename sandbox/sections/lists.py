"""Lists: creation, membership, and the count of members as an additional field."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records.store import Resource
from sandbox.sections import generic
from sandbox.times import written

MOST_MEMBERS = 1000


def create_list(call: Call) -> Reply:
    """A list without members. Names need not be unique."""
    at = written(call.now)
    attributes = {"name": call.attributes["name"], "created": at, "updated": at, "opt_in_process": "double_opt_in"}
    return documents.single(call, call.store.add("list", attributes | call.attributes))


def update_list(call: Call) -> Reply:
    """Rename it, or change its opt-in."""
    return generic.change(call)


def add_profiles_to_list(call: Call) -> Reply:
    """Make profiles members, without giving consent."""
    _check_size(call)
    return generic.relate(call)


def remove_profiles_from_list(call: Call) -> Reply:
    """End memberships, without withdrawing consent."""
    _check_size(call)
    return generic.unrelate(call)


def profile_count(call: Call, group: Resource) -> int:
    """How many members a list or a segment has."""
    return len(group.links.get("profiles", ()))


ADDITIONAL = {("list", "profile_count"): profile_count, ("segment", "profile_count"): profile_count}


def _check_size(call: Call) -> None:
    if len(call.body["data"]) > MOST_MEMBERS:
        raise invalid(f"At most {MOST_MEMBERS} profiles are allowed.", "/data")
