"""Where records are sown: in which store, from which random numbers, within which time."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.records.store import Resource, Store


@dataclass(frozen=True, slots=True)
class Plot:
    """Times are drawn from the `span` of seconds before now; `members` is how many a list or segment gets."""

    store: Store
    random: Random
    now: float
    span: float
    members: int

    def moment(self) -> float:
        """A random time within the span."""
        return self.now - self.random.random() * self.span

    def one(self, among: Sequence[Any]) -> Any:
        """A random element. Faster than `Random.choice`, which matters for a million of them."""
        return among[int(self.random.random() * len(among))]

    def some(self, among: Sequence[Resource], count: int) -> list[Resource]:
        """Random elements, or all if there are fewer than `count`."""
        return self.random.sample(among, min(count, len(among)))
