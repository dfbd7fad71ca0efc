"""Churn: records that change, arrive late or disappear at a steady rate while they are read."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.records.store import Resource, Store
from sandbox.seeding import changes
from sandbox.seeding.plot import Plot
from sandbox.seeding.populations import plot_of, sow_event

MAX_LATENESS_S = 86_400
"""How late an event may arrive."""


@dataclass(slots=True)
class Churn:
    """What happens to the records of a type, and how often. A seed always makes the same happen at the same times."""

    type: str
    per_second: float = 0.0
    """Records that change; events never do, but new ones arrive with a time in the past."""
    deletes_per_second: float = 0.0
    seed: int = 0
    done: int = 0
    stopped: bool = False

    def start(self, store: Store, now: float) -> None:
        """Start, with the records that exist now."""
        if self.type != "event" and self.per_second > 0:
            changes.check(self.type)
        plot = plot_of(store, f"churn of {self.type}", self.seed, now)
        ids = list(store.ids(self.type))
        if self.per_second > 0:
            self._repeat(plot, ids, 1 / self.per_second, self._add_late_event if self.type == "event" else self._change)
        if self.deletes_per_second > 0:
            self._repeat(plot, ids, 1 / self.deletes_per_second, self._delete)

    def _repeat(self, plot: Plot, ids: list[str], every: float, act: Callable[[Plot, Resource, float], None]) -> None:
        due = plot.now + every

        def work(now: float) -> float | None:
            nonlocal due
            resource = None if self.stopped else _pick(plot, self.type, ids)
            if resource is None:
                return None
            self.done += 1
            act(plot, resource, due)
            due += every
            return due

        plot.store.schedule(due, work)

    def _change(self, plot: Plot, resource: Resource, at: float) -> None:
        changes.change(plot.store, resource, self.done, at)

    def _add_late_event(self, plot: Plot, resource: Resource, at: float) -> None:
        """Add an event with the profile and metric of another one."""
        profile, metric = (next(plot.store.related(resource, name)) for name in ("profile", "metric"))
        sow_event(plot, profile, metric, int(at - plot.random.random() * MAX_LATENESS_S))

    def _delete(self, plot: Plot, resource: Resource, at: float) -> None:
        changes.delete(plot.store, resource)


def _pick(plot: Plot, type: str, ids: list[str]) -> Resource | None:
    """One of the records that still exist, if any."""
    while ids:
        at = int(plot.random.random() * len(ids))
        found = plot.store.find(type, ids[at])
        if found:
            return found
        ids[at] = ids[-1]
        ids.pop()
    return None
