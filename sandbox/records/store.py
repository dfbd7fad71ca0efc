"""One account's records: resources by type and id, and the links between them, kept at both ends."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, KeysView
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random
from typing import Any
from uuid import UUID

import orjson

from sandbox.errors import not_found
from sandbox.records.indexes import Indexes
from sandbox.records.relations import Relations
from sandbox.times import to_iso

_SHORT = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_LONG = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHORT_IDS = frozenset({"list", "segment", "metric", "flow", "image", "template", "form", "account", "flow-message"})
_LONG_IDS = frozenset({"profile", "campaign", "campaign-message"})
_NUMERIC_IDS = frozenset({"flow-action", "form-version"})


@dataclass(slots=True)
class Resource:
    """A stored resource. `links` hold, for each relationship, the ids at the other end and when each was linked."""

    type: str
    id: str
    number: int
    attributes: dict[str, Any]
    links: dict[str, dict[str, str]] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    """Data that is not among its attributes, such as a profile's consent."""

    def linked(self, name: str) -> list[str]:
        """The ids at the other end of a relationship."""
        return list(self.links.get(name, ()))


ScheduledWork = Callable[[float], float | None]
"""Called with the time; returns when it has more to do, if ever."""


class Store:
    """What one account holds."""

    def __init__(self, alias: str, company_id: str, relations: Relations, random: Random) -> None:
        self.alias = alias
        self.company_id = company_id
        self.relations = relations
        self.indexes = Indexes()
        self._owners: dict[tuple[str, str], str] = {}
        self._schedule: list[tuple[float, int, ScheduledWork]] = []
        self._bodies: Counter[tuple[str, bytes]] = Counter()
        self.everyone: Resource | None = None
        """The segment that every new profile joins."""
        self._random = random
        self._number = 0
        self._resources: dict[str, dict[str, Resource]] = {}

    def all(self, type: str) -> Iterable[Resource]:
        """All resources of a type, oldest first."""
        return self._resources.get(type, {}).values()

    def ids(self, type: str) -> KeysView[str]:
        """The ids of all resources of a type."""
        return self._resources.get(type, {}).keys()

    def find(self, type: str, id: str) -> Resource | None:
        """A resource, or None."""
        return self._resources.get(type, {}).get(id)

    def get(self, type: str, id: str) -> Resource:
        """A resource, or 404."""
        found = self.find(type, id)
        if found is None:
            raise not_found(type, id)
        return found

    def add(self, type: str, attributes: dict[str, Any], id: str | None = None) -> Resource:
        """Store a new resource, under a new id if none is given."""
        self._number += 1
        resource = Resource(type, id or self.new_id(type), self._number, attributes)
        self._resources.setdefault(type, {})[resource.id] = resource
        self.indexes.note(type, resource.id)
        return resource

    def touch(self, resource: Resource, now: float) -> None:
        """Note a change of a resource, and set its time of update."""
        self.note_change(resource)
        for name in ("updated", "updated_at"):
            if name in resource.attributes:
                resource.attributes[name] = to_iso(now)

    def note_change(self, resource: Resource) -> None:
        """Note a change of a resource that does not count as an update."""
        self.indexes.note(resource.type, resource.id)

    def remove(self, resource: Resource) -> None:
        """Delete a resource and its links."""
        for name in list(resource.links):
            for other in resource.linked(name):
                self.unlink(resource, name, other)
        self._resources[resource.type].pop(resource.id, None)
        self.indexes.note(resource.type, resource.id)

    def link(self, resource: Resource, name: str, target: Resource, now: float) -> None:
        """Link two resources, at both ends. An existing link keeps its time."""
        at = to_iso(now)
        self._point(resource, name, target.id, at)
        inverse = self.relations.inverse(resource.type, name)
        if inverse:
            self._point(target, inverse, resource.id, at)

    def unlink(self, resource: Resource, name: str, target_id: str) -> None:
        """Undo a link, at both ends."""
        resource.links.get(name, {}).pop(target_id, None)
        self.indexes.note((resource.type, resource.id, name), target_id)
        target, inverse = self._other_end(resource, name, target_id)
        if target and inverse:
            target.links.get(inverse, {}).pop(resource.id, None)
            self.indexes.note((target.type, target.id, inverse), resource.id)

    def related(self, resource: Resource, name: str) -> Iterator[Resource]:
        """The resources at the other end of a relationship."""
        type = self.relations.of(resource.type)[name].target
        for id in resource.links.get(name, {}):
            found = self.find(type, id)
            if found:
                yield found

    def owner_of(self, field: str, value: str) -> str | None:
        """The id of the resource with this unique value, such as a profile's email."""
        return self._owners.get((field, value.casefold() if field == "email" else value))

    def set_owner(self, field: str, value: str, id: str | None) -> None:
        """Record which resource has a unique value; None forgets it."""
        key = (field, value.casefold() if field == "email" else value)
        if id is None:
            self._owners.pop(key, None)
        else:
            self._owners[key] = id

    @property
    def has_work(self) -> bool:
        """Whether any work is scheduled."""
        return bool(self._schedule)

    def run_due(self, now: float) -> None:
        """Do all scheduled work that is due by now."""
        while self._schedule and self._schedule[0][0] <= now:
            _, _, work = heappop(self._schedule)
            again = work(now)
            if again is not None:
                self.schedule(again, work)

    def schedule(self, at: float, work: ScheduledWork) -> None:
        """Do some work at a later time."""
        self._number += 1
        heappush(self._schedule, (at, self._number, work))

    def note_body(self, type: str, body: Any) -> None:
        """Remember the body that a job was started with."""
        self._bodies[type, blake2b(orjson.dumps(body), digest_size=16).digest()] += 1

    def count_doubled_jobs(self) -> int:
        """How many jobs were started with the same body as an earlier one of their type."""
        return self._bodies.total() - len(self._bodies)

    def counts(self) -> dict[str, int]:
        """How many resources of each type there are."""
        return {type: len(resources) for type, resources in sorted(self._resources.items()) if resources}

    @contextmanager
    def drawing_from(self, random: Random) -> Iterator[None]:
        """Within this context, take ids from another source of random numbers."""
        usual, self._random = self._random, random
        yield
        self._random = usual

    def new_id(self, type: str) -> str:
        """A new id in Klaviyo's format for this type."""
        if type in _LONG_IDS:
            return "01" + "".join(self._random.choices(_LONG, k=24))
        if type in _SHORT_IDS:
            return "".join(self._random.choices(_SHORT, k=6))
        if type in _NUMERIC_IDS:
            return str(self._random.randrange(10**7, 10**8))
        if type == "event":
            return "".join(self._random.choices(_SHORT, k=11))
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _point(self, resource: Resource, name: str, target_id: str, at: str) -> None:
        links = resource.links.get(name)
        if links is None:
            resource.links[name] = {target_id: at}
        else:
            links.setdefault(target_id, at)
        self.indexes.note((resource.type, resource.id, name), target_id)

    def _other_end(self, resource: Resource, name: str, target_id: str) -> tuple[Resource | None, str | None]:
        relation = self.relations.of(resource.type).get(name)
        if relation is not None:
            return self.find(relation.target, target_id), self.relations.inverse(resource.type, name)
        # No relation has this name, so it is one of the `UNSEEN` ones: the other end is an event.
        return self.find("event", target_id), resource.type
