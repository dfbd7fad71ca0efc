"""What the sandbox has seen during the demo: the other side's view of what was sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx

from worker.tiers import Window

#: The account that the demo uses.
ACCOUNT = "default"


@dataclass(slots=True)
class AnswerCounts:
    """Numbers of answers by action: those with status 429, and all others."""

    answered: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Proof:
    """The result of comparing everything: what was lost or doubled of how many tasks, customers and purchases."""

    tasks: int = 0
    customers: int = 0
    purchases: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    throttled: int = 0

    @property
    def holds(self) -> bool:
        """Return True if nothing was lost, nothing doubled, and no limit exceeded."""
        return not (self.lost.total() or self.doubled.total() or self.throttled)


class SideDoor:
    """The sandbox's own API, beside Klaviyo's."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/_sandbox", timeout=30.0)

    def is_ready(self) -> bool:
        """Return True if the sandbox answers."""
        try:
            return self._client.get("/health").is_success
        except httpx.TransportError:
            return False

    def count_answers(self) -> AnswerCounts:
        """Count all answers so far."""
        counts = AnswerCounts()
        for action, statuses in self._client.get("/requests/counts").json()["by_operation"].get(ACCOUNT, {}).items():
            for status, count in statuses.items():
                (counts.throttled if status == "429" else counts.answered)[action] += count
        return counts

    def count_fullest(self, action: str, windows: tuple[Window, ...]) -> list[int]:
        """Return, for each window, the most requests that arrived within any span of its length."""
        rows = self._client.get("/requests", params={"operation": action, "account": ACCOUNT}).json()
        arrivals = sorted(row["at"] for row in rows)
        return [most_in_any_span(arrivals, window.length_ms / 1000) for window in windows]

    def count_records(self) -> Counter[str]:
        """Count the records of each type, and those that are there twice."""
        return Counter(self._client.get("/state").json()[ACCOUNT])


def most_in_any_span(arrivals: list[float], seconds: float) -> int:
    """Return the most of these sorted times that lie within any span of this many seconds."""
    most = first = 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
