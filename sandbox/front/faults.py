"""Faults on demand: which one, if any, strikes a request."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

FaultName = Literal[
    "latency", "hang", "status", "reset", "cut_after_commit", "malformed", "challenge", "gone", "throttle"
]
FAULT_NAMES: frozenset[str] = frozenset(get_args(FaultName))

AT_EDGE: frozenset[str] = frozenset({"latency", "hang", "reset", "challenge", "throttle"})
"""Faults that strike before Klaviyo counts the request; with the others, the request is counted."""

GATEWAY_STATUSES = frozenset({502, 504, *range(520, 528)})
"""Statuses that come from the proxy in front of Klaviyo, with an HTML page instead of a JSON:API error."""


@dataclass(slots=True)
class Fault:
    """One fault. `operation` and `account` narrow it; `times` counts down, and None means until cleared."""

    fault: FaultName
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
        """A fault from what was sent to the side door."""
        if raw.get("fault") not in FAULT_NAMES:
            raise ValueError(f"unknown fault {raw.get('fault')!r}; known: {', '.join(sorted(FAULT_NAMES))}")
        return cls(**raw)

    def at_edge(self) -> bool:
        """Whether it strikes before the request is counted."""
        return self.fault in AT_EDGE or (self.fault == "status" and self.status == 429)


class Faults:
    """The active faults, in the order in which they were added."""

    def __init__(self, random: Random) -> None:
        self.active: list[Fault] = []
        self._random = random

    def strike(self, operation: str | None, account: str | None) -> Fault | None:
        """The first fault that matches this request and fires; its count goes down."""
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
