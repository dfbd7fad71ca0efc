"""Listings: the resources that pass a filter, sorted, one page at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from sandbox.call import Call, Reply
from sandbox.reading import documents, filters
from sandbox.reading.filters import COMPARISONS, Condition
from sandbox.reading.paging import Clock, Listing, Page, page
from sandbox.records.indexes import Row
from sandbox.records.store import Resource, Store

_IDENTIFIERS = {"email", "phone_number", "external_id"}
GROUPS = ("list", "segment")
JOINED = "joined_group_at"

SELECTIVE_RATIO = 20
"""If a filter leaves fewer than one resource in this many, those are sorted by themselves instead of using an index."""


def list_all(call: Call, type: str) -> Reply:
    """A page of all resources of a type."""
    store, conditions = call.store, _conditions(call)
    field = call.query.sort or _bounded_field(conditions)
    within, conditions = _ids_named(store, type, conditions)
    if within is not None and len(within) * SELECTIVE_RATIO < len(store.ids(type)):
        rows = _sort(_by_field(store, type, field), within)
    else:
        rows = prepare(store, type, field)
    found = _page(call, rows, field, within, conditions, partial(_value, store, type, {}))
    if type == "campaign":
        found = Page(call.traps.shuffle(found.ids, conditions), found.next, found.prev)
    return documents.collection(call, found, _resources(store, type, found), {})


def prepare(store: Store, type: str, field: str | None) -> list[Row]:
    """All resources of a type, sorted by a field. The first time takes long if there are many."""
    return store.indexes.rows(type, field, _by_field(store, type, field), store.ids(type))


def list_related(call: Call, owner: Resource, name: str, type: str) -> Reply:
    """A page of related resources; members of a list or segment come with the time when they joined."""
    found = _related(call, owner, name, type)
    grouped = owner.type in GROUPS and type == "profile"
    joined = owner.links.get(name, {})
    extra = {id: {JOINED: joined[id]} for id in found.ids} if grouped else {}
    return documents.collection(call, found, _resources(call.store, type, found), extra)


def list_identifiers(call: Call, owner: Resource, name: str, type: str) -> Reply:
    """A page of the identifiers of related resources."""
    return documents.linkage(call, _related(call, owner, name, type), type)


def field_value(store: Store, resource: Resource, name: str) -> Any:
    """The value of a field that a filter or sort names: an attribute, a nested one, or related ids."""
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
        return _dig({**resource.private, **resource.attributes}, name)
    known = store.relations.of(resource.type)
    for link in resource.links:
        if _means(head, link, known[link].target if link in known else link.removesuffix("s")):
            return resource.linked(link)
    return None


def _means(head: str, link: str, target: str) -> bool:
    """Whether a field `profile`, `profile_id`, or `profile` of `profile.id`, means this relationship."""
    wanted = head.removesuffix("_id")
    return wanted in (link, target) or target.endswith(f"-{wanted}")


def _related(call: Call, owner: Resource, name: str, type: str) -> Page:
    store, conditions = call.store, _conditions(call)
    joined = owner.links.get(name, {})
    grouped = owner.type in GROUPS and type == "profile"
    field = JOINED if grouped else call.query.sort
    usual = _by_field(store, type, field)

    def row_of(id: str) -> Row | None:
        resource, at = store.find(type, id), owner.links.get(name, {}).get(id)
        if resource is None or at is None:
            return None
        return _row(resource, at) if grouped else usual(id)

    within, conditions = _ids_named(store, type, conditions)
    if within is not None and len(within) * SELECTIVE_RATIO < len(joined):
        rows = _sort(row_of, within)
    elif field in (None, JOINED):
        rows = store.indexes.rows((owner.type, owner.id, name), field, row_of, joined)
    else:
        # An index of these links would not notice changes of the attribute that they are sorted by.
        rows = _sort(row_of, joined)
    return _page(call, rows, field, within, conditions, partial(_value, store, type, joined))


def _page(
    call: Call,
    rows: Sequence[Row],
    field: str | None,
    within: Collection[str] | None,
    conditions: list[Condition],
    value: Callable[[str, str], Any],
) -> Page:
    query = call.query
    low, high, rest = _narrow(rows, field, conditions)

    def passes(row: Row) -> bool:
        return (within is None or row[3] in within) and (not rest or filters.matches(rest, partial(value, row[3])))

    asked = passes if rest or within is not None else None
    listing = Listing(rows, low, high, asked, f"{call.operation.id} {call.path_id} {query.listing}")
    clock = Clock(call.now, call.traps.cursor_seconds)
    return page(listing, size=query.size, cursor=query.cursor, descending=query.descending, clock=clock)


def _narrow(rows: Sequence[Row], field: str | None, conditions: list[Condition]) -> tuple[int, int, list[Condition]]:
    """The range of rows within which the conditions on the sort field hold, and the remaining conditions."""
    low, high = 0, len(rows)
    rest = []
    for condition in conditions:
        value = condition.values[0] if condition.values else None
        comparable = bool(rows) and value is not None and isinstance(rows[-1][1], str) == isinstance(value, str)
        if condition.field != field or condition.operator not in COMPARISONS or not comparable or "." in field:
            rest.append(condition)
            continue
        low = max(low, bisect_left(rows, (1,)))
        match condition.operator:
            case "greater-than":
                low = max(low, bisect_right(rows, (1, value, inf)))
            case "greater-or-equal":
                low = max(low, bisect_left(rows, (1, value)))
            case "less-than":
                high = min(high, bisect_left(rows, (1, value)))
            case "less-or-equal":
                high = min(high, bisect_right(rows, (1, value, inf)))
    return low, max(low, high), rest


def _conditions(call: Call) -> list[Condition]:
    return call.traps.apply_to(call.query.conditions, call.now)


def _bounded_field(conditions: list[Condition]) -> str | None:
    """The field that a listing without a sort is ordered by: the one that the filter bounds, if any."""
    return next((one.field for one in conditions if one.operator in COMPARISONS), None)


def _ids_named(store: Store, type: str, conditions: list[Condition]) -> tuple[Collection[str] | None, list[Condition]]:
    """The ids allowed by the first condition that names any (None if none does), and the other conditions."""
    for at, condition in enumerate(conditions):
        if condition.operator not in ("equals", "any"):
            continue
        values = [str(value) for value in condition.values]
        ids: Collection[str] | None
        if condition.field in ("id", "ids", f"{type}_id"):
            ids = dict.fromkeys(values)
        elif type == "profile" and condition.field in _IDENTIFIERS:
            ids = dict.fromkeys(store.owner_of(condition.field, value) or "" for value in values)
        else:
            ids = _linked(store, type, condition.field, values)
        if ids is not None:
            return ids, conditions[:at] + conditions[at + 1 :]
    return None, conditions


def _linked(store: Store, type: str, field: str, values: list[str]) -> Mapping[str, str] | None:
    """What is linked to the resources with these ids, if a filter's field means a relationship."""
    for relation in store.relations.of(type).values():
        inverse = store.relations.inverse(type, relation.name)
        if inverse and _means(field.removesuffix(".id"), relation.name, relation.target):
            owners = (store.find(relation.target, value) for value in values)
            links = [owner.links.get(inverse, {}) for owner in owners if owner]
            return links[0] if len(links) == 1 else {id: at for each in links for id, at in each.items()}
    return None


def _by_field(store: Store, type: str, field: str | None) -> Callable[[str], Row | None]:
    """How to make an id's row for a listing sorted by a field, or by age."""

    def row_of(id: str) -> Row | None:
        resource = store.find(type, id)
        if resource is None:
            return None
        return _row(resource, field_value(store, resource, field) if field else None)

    return row_of


def _sort(row_of: Callable[[str], Row | None], ids: Iterable[str]) -> list[Row]:
    return sorted(row for id in ids if (row := row_of(id)) is not None)


def _row(resource: Resource, key: Any) -> Row:
    return (0, "", resource.number, resource.id) if key is None else (1, key, resource.number, resource.id)


def _value(store: Store, type: str, joined: Mapping[str, str], id: str, name: str) -> Any:
    return joined.get(id) if name == JOINED else field_value(store, store.get(type, id), name)


def _resources(store: Store, type: str, found: Page) -> list[Resource]:
    return [store.get(type, id) for id in found.ids]


def _dig(value: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(value, list):
            value = [_dig(one, name) for one in value]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value
