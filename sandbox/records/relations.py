"""Which types are related, and by what names, derived from the operations that list relationships."""

from dataclasses import dataclass

from sandbox.operations import Operations

# Ends that no operation shows, but by which the sandbox finds a profile's or a metric's events.
UNSEEN = {("event", "profile"): "events", ("event", "metric"): "events"}

# Relationships that resources show but that have no URL of their own: the target, and whether it is to-many.
UNADDRESSED = {
    ("catalog-variant", "item"): ("catalog-item", False),
    ("coupon-code", "profile"): ("profile", False),
    ("coupon-code-bulk-create-job", "coupon-codes"): ("coupon-code", True),
    ("webhook", "webhook-topics"): ("webhook-topic", True),
} | {
    (f"catalog-{kind}-bulk-{act}-job", name): (f"catalog-{kind}", True)
    for kind, name in (("item", "items"), ("variant", "variants"), ("category", "categories"))
    for act in ("create", "update")
}


@dataclass(frozen=True, slots=True)
class Relation:
    """One side of a relationship: the type at the other end, and its name there, if any."""

    name: str
    target: str
    many: bool
    inverse: str | None
    addressed: bool = True


class Relations:
    """The relationships of every type, and the type of the resources in each collection."""

    def __init__(self, operations: Operations) -> None:
        self.types: dict[str, str] = {}
        for operation in operations.by_id.values():
            if operation.type and operation.method == "GET" and 2 <= len(operation.segments) <= 3:
                self.types[operation.segments[1]] = operation.type
        self.collections = {type: collection for collection, type in self.types.items()}
        ends = dict(UNADDRESSED)
        for operation in operations.by_id.values():
            path = operation.segments
            owner = self.types.get(path[1])
            if operation.method == "GET" and len(path) >= 4 and owner and operation.type:
                ends[owner, path[-1]] = (operation.type, operation.many)
        self._of: dict[str, dict[str, Relation]] = {}
        for (owner, name), (target, many) in ends.items():
            addressed = (owner, name) not in UNADDRESSED
            relation = Relation(name, target, many, _inverse(ends, owner, name, target), addressed)
            self._of.setdefault(owner, {})[name] = relation
        self._inverses: dict[tuple[str, str], str | None] = {
            (owner, name): relation.inverse for owner, known in self._of.items() for name, relation in known.items()
        }
        self._inverses.update(UNSEEN)

    def of(self, type: str) -> dict[str, Relation]:
        """The relationships of a type, by name."""
        return self._of.get(type, {})

    def inverse(self, type: str, name: str) -> str | None:
        """The name of a relationship at its other end."""
        return self._inverses.get((type, name))


def _inverse(ends: dict[tuple[str, str], tuple[str, bool]], owner: str, name: str, target: str) -> str | None:
    """The name at the other end, if it is clear: the only relationship that leads back."""
    there = [n for (o, n), (t, _) in ends.items() if o == target and t == owner]
    back = [n for (o, n), (t, _) in ends.items() if o == owner and t == target]
    return there[0] if len(there) == 1 and back == [name] else None
