"""What the sandbox itself has seen during the demo: the other side's account of what was sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx

from worker.tiers import Window

#: The account that the demo uses.
ACCOUNT = "default"


@dataclass(slots=True)
class Seen:
    """Answers by action: how many were 429, how many something else."""

    answered: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Proof:
    """What was found when everything was compared: of so many tasks, customers and purchases."""

    tasks: int = 0
    customers: int = 0
    purchases: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    throttled: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, nothing doubled, and no limit broken."""
        return not (self.lost.total() or self.doubled.total() or self.throttled)


class SideDoor:
    """The sandbox's side door."""

    def __init__(self, url: str) -> None:
        # A new connection each time: uvicorn closes idle ones, sometimes just when the next request is on its way.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=f"{url}/_sandbox", timeout=30.0, limits=limits)

    def ready(self) -> bool:
        """Whether the sandbox answers."""
        try:
            return self._client.get("/health").is_success
        except httpx.TransportError:
            return False

    def seen(self) -> Seen:
        """All requests so far."""
        seen = Seen()
        for action, statuses in self._client.get("/requests/counts").json()["by_operation"].get(ACCOUNT, {}).items():
            for status, count in statuses.items():
                (seen.throttled if status == "429" else seen.answered)[action] += count
        return seen

    def fullest(self, action: str, windows: tuple[Window, ...]) -> list[int]:
        """For each window: the most requests that arrived within any stretch of time of its length."""
        rows = self._client.get("/requests", params={"operation": action, "account": ACCOUNT}).json()
        arrivals = sorted(row["at"] for row in rows)
        return [fullest(arrivals, window.length / 1000) for window in windows]

    def state(self) -> Counter[str]:
        """How many things of each type there are, and how many events are there twice."""
        return Counter(self._client.get("/state").json()[ACCOUNT])


def fullest(arrivals: list[float], seconds: float) -> int:
    """The most of these sorted moments that lie within any stretch of so many seconds."""
    most = first = 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
