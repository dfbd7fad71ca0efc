"""What most operations do, derived from the structure of their path: list, read, create, update, delete, relate."""

from sandbox.call import Call, Handler, Reply
from sandbox.errors import not_found, refusal
from sandbox.operations import Operation
from sandbox.reading import documents, listings
from sandbox.records.store import Resource
from sandbox.times import to_iso


def handler(operation: Operation) -> Handler:
    """The handler that an operation's method and path call for."""
    depth = len(operation.segments)
    if depth == 5 and operation.segments[3] == "relationships":
        relating = {"GET": read_identifiers, "POST": relate, "PATCH": replace_related, "DELETE": unrelate}
        return relating[operation.method]
    if depth == 4:
        return read_related
    if depth == 3:
        return {"GET": read, "PATCH": change, "DELETE": delete}[operation.method]
    return read_all if operation.method == "GET" else create


def read_all(call: Call) -> Reply:
    """A page of all resources of the type."""
    return listings.list_all(call, _type(call))


def read(call: Call) -> Reply:
    """One resource."""
    return documents.single(call, call.store.get(_type(call), call.path_id))


def create(call: Call) -> Reply:
    """Store what was sent, unless the operation returns nothing, so that nothing could be read back."""
    operation = call.operation
    if operation.type is None:
        return Reply()
    sent = dict(call.attributes) if isinstance(call.body, dict) and "data" in call.body else {}
    at = to_iso(call.now)
    times = {name: at for name in ("created", "updated", "created_at", "updated_at")}
    shown = call.store.relations.of(operation.type)
    resource = call.store.add(operation.type, sent | times)
    for name in (call.data.get("relationships") or {}) if sent else ():
        if name in shown:
            for target in call.linkage(name):
                call.store.link(resource, name, call.store.get(shown[name].target, target), call.now)
    return documents.single(call, resource)


def change(call: Call) -> Reply:
    """Change what is given; null is stored as null."""
    type = call.operation.type or call.operation.body or _type(call)
    resource = call.store.get(type, call.path_id)
    resource.attributes |= call.attributes
    call.store.touch(resource, call.now)
    return documents.single(call, resource) if call.operation.type else Reply()


def delete(call: Call) -> Reply:
    """Delete a resource and its links."""
    call.store.remove(call.store.get(_owner_type(call), call.path_id))
    return Reply()


def read_related(call: Call) -> Reply:
    """The related resources, or the single one."""
    owner, name = _owner(call)
    type = _type(call)
    if call.operation.many:
        return listings.list_related(call, owner, name, type)
    for id in owner.linked(name):
        return documents.single(call, call.store.get(type, id))
    raise refusal(404, f"This {owner.type} has no {name}.")


def read_identifiers(call: Call) -> Reply:
    """The identifiers of the related resources, or of the single one."""
    owner, name = _owner(call)
    type = _type(call)
    if call.operation.many:
        return listings.list_identifiers(call, owner, name, type)
    for id in owner.linked(name):
        return Reply({"data": {"type": type, "id": id}, "links": {"self": documents.address(call, owner)}})
    raise refusal(404, f"This {owner.type} has no {name}.")


def relate(call: Call) -> Reply:
    """Add to a relationship. Existing links stay as they are."""
    owner, name = _owner(call)
    for target in _targets(call):
        call.store.link(owner, name, target, call.now)
    return Reply()


def replace_related(call: Call) -> Reply:
    """Replace a relationship with what was sent."""
    owner, name = _owner(call)
    targets = _targets(call)
    for id in owner.linked(name):
        call.store.unlink(owner, name, id)
    for target in targets:
        call.store.link(owner, name, target, call.now)
    return Reply()


def unrelate(call: Call) -> Reply:
    """Remove from a relationship. What is not in it is ignored."""
    owner, name = _owner(call)
    for target in _targets(call):
        call.store.unlink(owner, name, target.id)
    return Reply()


def _type(call: Call) -> str:
    return call.operation.type or _owner_type(call)


def _owner_type(call: Call) -> str:
    collection = call.operation.segments[1]
    return call.store.relations.types.get(collection, collection)


def _owner(call: Call) -> tuple[Resource, str]:
    return call.store.get(_owner_type(call), call.path_id), call.operation.segments[-1]


def _targets(call: Call) -> list[Resource]:
    """The resources that the body names, all of which must exist."""
    data = call.body["data"]
    type = call.operation.body or ""
    found = []
    for one in data if isinstance(data, list) else [data]:
        target = call.store.find(type, one["id"])
        if target is None:
            raise not_found(type, one["id"])
        found.append(target)
    return found
