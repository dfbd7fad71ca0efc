"""Listings: the resources that pass a filter, sorted, one page at a time."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from sandbox import documents, filters
from sandbox.call import Call, Reply
from sandbox.filters import Condition
from sandbox.paging import Page, Row, page
from sandbox.store import Resource, Store

REMEMBERED = 64
"""Sorted listings that a store keeps at most."""

_INDEXED = {"id", "email", "phone_number", "external_id"}


def everything(call: Call, type: str) -> Reply:
    """A page of all resources of a type."""
    found = _page(call, type, lambda: _candidates(call.store, type, call.query.conditions), {})
    return documents.collection(call, found, _resources(call.store, type, found), {})


def related(call: Call, owner: Resource, name: str, type: str) -> Reply:
    """A page of what a resource is related to; for members of a list or segment, with the time of joining."""
    joined = owner.links.get(name, {})
    found = _page(call, type, lambda: _members(call.store, type, joined), joined)
    grouped = owner.type in ("list", "segment") and type == "profile"
    extra = {id: {"joined_group_at": joined[id]} for id in found.ids} if grouped else {}
    return documents.collection(call, found, _resources(call.store, type, found), extra)


def identifiers(call: Call, owner: Resource, name: str, type: str) -> Reply:
    """A page of the identifiers of what a resource is related to."""
    joined = owner.links.get(name, {})
    return documents.linkage(call, _page(call, type, lambda: _members(call.store, type, joined), joined), type)


def field_value(store: Store, resource: Resource, name: str) -> Any:
    """What a filter or a sort means by a field: an attribute, a nested one, or related ids."""
    if name in ("id", "ids", f"{resource.type}_id"):
        return resource.id
    if name in resource.attributes:
        return resource.attributes[name]
    if name in resource.private:
        return resource.private[name]
    if f"{name}_at" in resource.attributes:
        return resource.attributes[f"{name}_at"]
    head, _, rest = name.partition(".")
    if rest and rest != "id":
        return _dug({**resource.private, **resource.attributes}, name)
    wanted = head.removesuffix("_id")
    known = store.relations.of(resource.type)
    for link, ids in resource.links.items():
        target = known[link].target if link in known else link.removesuffix("s")
        if link == wanted or target == wanted or target.endswith(f"-{wanted}"):
            return list(ids)
    return None


def _page(call: Call, type: str, candidates: Callable[[], Iterable[Resource]], joined: Mapping[str, str]) -> Page:
    query, store = call.query, call.store
    listing = f"{call.operation.id} {call.path_id} {query.listing}"
    kept = store.listings.get((listing,))
    if kept is None or kept[0] != store.version:
        if len(store.listings) >= REMEMBERED:
            store.listings.clear()
        kept = store.listings[(listing,)] = (store.version, _rows(call, candidates(), joined))
    return page(kept[1], size=query.size, cursor=query.cursor, descending=query.descending, listing=listing)


def _rows(call: Call, candidates: Iterable[Resource], joined: Mapping[str, str]) -> list[Row]:
    store, query = call.store, call.query

    def value(resource: Resource, name: str) -> Any:
        return joined.get(resource.id) if name == "joined_group_at" else field_value(store, resource, name)

    rows: list[Row] = []
    for resource in candidates:
        if query.conditions and not filters.matches(query.conditions, partial(value, resource)):
            continue
        key = value(resource, query.sort) if query.sort else None
        rows.append((int(key is not None), key if key is not None else "", resource.number, resource.id))
    rows.sort()
    return rows


def _candidates(store: Store, type: str, conditions: list[Condition]) -> Iterable[Resource]:
    """All resources of a type, or far fewer where a condition names them by an indexed field."""
    for condition in conditions:
        if condition.field not in _INDEXED or condition.operator not in ("equals", "any"):
            continue
        if condition.field == "id":
            ids = [str(value) for value in condition.values]
        elif type == "profile":
            ids = [store.owner_of(condition.field, str(value)) or "" for value in condition.values]
        else:
            continue
        return [found for id in dict.fromkeys(ids) if (found := store.find(type, id))]
    return store.all(type)


def _members(store: Store, type: str, joined: Mapping[str, str]) -> Iterable[Resource]:
    return (found for id in joined if (found := store.find(type, id)))


def _resources(store: Store, type: str, found: Page) -> list[Resource]:
    return [store.get(type, id) for id in found.ids]


def _dug(value: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(value, list):
            value = [_dug(one, name) for one in value]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value
