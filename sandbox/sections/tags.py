"""Tags and tag groups: unique names, the default group, exclusive groups, and tagging."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid, refusal
from sandbox.reading import documents
from sandbox.records.store import Resource
from sandbox.sections import generic

MAX_TAGS, MAX_TAG_GROUPS, MAX_TAGS_PER_RESOURCE = 500, 50, 100


def create_tag(call: Call) -> Reply:
    """Create a tag in the named group, or the default one."""
    store = call.store
    _check_room(call, "tag", MAX_TAGS)
    _check_name(call, "tag")
    group_ids = call.linkage("tag-group")
    group = store.get("tag-group", group_ids[0]) if group_ids else _default_group(call)
    tag = store.add("tag", {"name": call.attributes["name"]})
    store.link(tag, "tag-group", group, call.now)
    return documents.single(call, tag)


def update_tag(call: Call) -> Reply:
    """Rename it."""
    _check_name(call, "tag")
    return generic.change(call)


def create_tag_group(call: Call) -> Reply:
    """Create a group. A resource may have only one tag of an exclusive group."""
    _check_room(call, "tag-group", MAX_TAG_GROUPS)
    _check_name(call, "tag-group")
    exclusive = bool(call.attributes.get("exclusive"))
    group = call.store.add("tag-group", {"name": call.attributes["name"], "exclusive": exclusive, "default": False})
    return documents.single(call, group)


def update_tag_group(call: Call) -> Reply:
    """Rename it."""
    _check_name(call, "tag-group")
    group = call.store.get("tag-group", call.path_id)
    group.attributes["name"] = call.attributes["name"]
    call.store.touch(group, call.now)
    return Reply()


def delete_tag_group(call: Call) -> Reply:
    """Delete a group, with all of its tags; not the default group."""
    group = call.store.get("tag-group", call.path_id)
    if group.attributes["default"]:
        raise refusal(400, "The default tag group cannot be deleted.")
    for tag in list(call.store.related(group, "tags")):
        call.store.remove(tag)
    call.store.remove(group)
    return Reply()


def tag_flows(call: Call) -> Reply:
    """Tag flows."""
    return _tagged(call)


def tag_campaigns(call: Call) -> Reply:
    """Tag campaigns."""
    return _tagged(call)


def tag_lists(call: Call) -> Reply:
    """Tag lists."""
    return _tagged(call)


def tag_segments(call: Call) -> Reply:
    """Tag segments."""
    return _tagged(call)


def _tagged(call: Call) -> Reply:
    store = call.store
    tag = store.get("tag", call.path_id)
    group = next(store.related(tag, "tag-group"))
    for one in call.body["data"]:
        target = store.get(one["type"], one["id"])
        others = [other for other in store.related(target, "tags") if other.id != tag.id]
        if len(others) >= MAX_TAGS_PER_RESOURCE:
            raise invalid(f"A {target.type} can have at most {MAX_TAGS_PER_RESOURCE} tags.", "/data")
        if group.attributes["exclusive"] and any(_group_id(other) == group.id for other in others):
            raise invalid(f"This {target.type} has a tag of the same exclusive group.", "/data")
    return generic.relate(call)


def _group_id(tag: Resource) -> str:
    return tag.linked("tag-group")[0]


def _default_group(call: Call) -> Resource:
    return next(group for group in call.store.all("tag-group") if group.attributes["default"])


def _check_room(call: Call, type: str, maximum: int) -> None:
    if sum(1 for _ in call.store.all(type)) >= maximum:
        raise refusal(400, f"An account can have at most {maximum} of type {type}.")


def _check_name(call: Call, type: str) -> None:
    name = str(call.attributes["name"]).casefold()
    for other in call.store.all(type):
        if other.id != call.path_id and other.attributes["name"].casefold() == name:
            raise refusal(409, f"A {type} with this name already exists.", pointer="/data/attributes/name")
