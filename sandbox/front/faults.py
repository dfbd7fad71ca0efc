"""Trouble on demand: which fault, if any, befalls a request."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

Kind = Literal["latency", "hang", "status", "reset", "cut_after_commit", "malformed", "challenge", "gone", "throttle"]
KINDS: frozenset[str] = frozenset(get_args(Kind))

EDGE: frozenset[str] = frozenset({"latency", "hang", "reset", "challenge", "throttle"})
"""Faults that strike before Klaviyo counts the request; the others draw on the windows like any answer."""

GATEWAY = frozenset({502, 504, *range(520, 528)})
"""Statuses that come from the proxy in front of Klaviyo: an HTML page, no JSON:API error."""


@dataclass(slots=True)
class Fault:
    """A switch. `operation` and `account` narrow it; `times` counts down, None is until cleared."""

    fault: Kind
    operation: str | None = None
    account: str | None = None
    times: int | None = 1
    probability: float = 1.0
    seconds: float | None = None
    status: int = 503
    retry_after: int | None = None
    after_commit: bool = False

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "Fault":
        """A switch out of what the side door was sent."""
        if raw.get("fault") not in KINDS:
            raise ValueError(f"unknown fault {raw.get('fault')!r}; known: {', '.join(sorted(KINDS))}")
        return cls(**raw)

    def at_edge(self) -> bool:
        """Whether it strikes before the request is counted."""
        return self.fault in EDGE or (self.fault == "status" and self.status == 429)


class Faults:
    """The switches that are on, in the order in which they were set."""

    def __init__(self, random: Random) -> None:
        self.active: list[Fault] = []
        self._random = random

    def strike(self, operation: str | None, account: str | None) -> Fault | None:
        """The first switch that fits this request and fires, counted down."""
        for fault in self.active:
            if fault.operation not in (None, operation) or fault.account not in (None, account):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.active.remove(fault)
            return fault
        return None
