"""JSON:API documents made of stored resources: sparse and additional fields, relationships, `included`."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from sandbox.call import Call, Reply
from sandbox.reading.paging import Page
from sandbox.records.store import Resource


def single(call: Call, resource: Resource, *, status: int | None = None) -> Reply:
    """The document of one resource."""
    document: dict[str, Any] = {"data": render(call, resource), "links": {"self": address(call, resource)}}
    return Reply(_with_included(call, document, [resource]), status)


def collection(call: Call, page: Page, resources: list[Resource], extra: dict[str, dict[str, Any]]) -> Reply:
    """The document of a page of resources. `extra` are attributes that only the listing has, by id."""
    data = [render(call, resource, extra.get(resource.id)) for resource in resources]
    return Reply(_with_included(call, {"data": data, "links": page_links(call, page)}, resources))


def linkage(call: Call, page: Page, type: str) -> Reply:
    """The document of a page of resource identifiers."""
    return Reply({"data": [{"type": type, "id": id} for id in page.ids], "links": page_links(call, page)})


def render(call: Call, resource: Resource, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """A resource object."""
    attributes = resource.attributes | extra if extra else resource.attributes
    for name in call.query.additional.get(resource.type, ()):
        attributes = attributes | {name: call.additional[resource.type, name](call, resource)}
    sparse = call.query.fields.get(resource.type)
    if sparse is not None:
        attributes = _sparse(attributes, sparse)
    shown: dict[str, Any] = {"type": resource.type, "id": resource.id, "attributes": attributes}
    here = address(call, resource)
    relationships = _relationships(call, resource, here)
    if relationships:
        shown["relationships"] = relationships
    shown["links"] = {"self": here}
    return shown


def address(call: Call, resource: Resource) -> str:
    """The URL of a resource."""
    collection = call.store.relations.collections.get(resource.type, resource.type)
    id = resource.id if resource.id.isalnum() else quote(resource.id, safe="")
    return f"{call.base_url}/api/{collection}/{id}"


def page_links(call: Call, page: Page) -> dict[str, str | None]:
    """A page's links to itself and its neighbours."""
    here = call.base_url + call.operation.path
    if call.path_id:
        here = here.replace("{id}", call.path_id).replace("{job_id}", call.path_id)

    def at(cursor: str | None) -> str:
        query = call.query.at(cursor)
        return f"{here}?{query}" if query else here

    return {
        "self": at(call.query.cursor),
        "next": at(page.next) if page.next else None,
        "prev": at(page.prev) if page.prev else None,
    }


def _relationships(call: Call, resource: Resource, here: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, relation in call.store.relations.of(resource.type).items():
        relationship: dict[str, Any] = {}
        if relation.addressed:
            relationship["links"] = {"self": f"{here}/relationships/{name}", "related": f"{here}/{name}"}
        ids = resource.links.get(name)
        if not relation.many and ids:
            relationship["data"] = {"type": relation.target, "id": next(iter(ids))}
        elif relation.many and name in call.query.include:
            relationship["data"] = [{"type": relation.target, "id": id} for id in ids or ()]
        if relationship:
            shown[name] = relationship
    return shown


def _with_included(call: Call, document: dict[str, Any], resources: Iterable[Resource]) -> dict[str, Any]:
    if not call.query.include:
        return document
    included: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        for name in call.query.include:
            if name in call.store.relations.of(resource.type):
                included |= {(other.type, other.id): other for other in call.store.related(resource, name)}
    document["included"] = [render(call, other) for other in included.values()]
    return document


def _sparse(attributes: dict[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    """The requested attributes. `location.city` requests one key of an attribute."""
    kept: dict[str, Any] = {}
    for path in wanted:
        name, _, rest = path.partition(".")
        if name not in attributes:
            continue
        value = attributes[name]
        if not rest:
            kept[name] = value
        elif isinstance(value, dict):
            inner = _sparse(value, frozenset({rest}))
            present = kept.get(name)
            kept[name] = present | inner if isinstance(present, dict) else inner
    return kept
