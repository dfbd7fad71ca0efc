"""Rules for what becomes of jobs, set through the side door: how long they take and how they end."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, get_args

Outcome = Literal["complete", "cancelled", "stuck", "vanished"]
OUTCOMES: frozenset[str] = frozenset(get_args(Outcome))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job will do: complete after `seconds`, or meet another outcome after half of them."""

    seconds: float
    outcome: Outcome = "complete"
    fail_share: float = 0.0
    expires: float | None = None
    """Seconds from its end until it disappears; None is Klaviyo's usual time for the type."""

    def fails(self, index: int) -> bool:
        """Whether this item is in the share that fails, which is spread evenly."""
        return int(round((index + 1) * self.fail_share, 6)) > int(round(index * self.fail_share, 6))


@dataclass(slots=True)
class Rule:
    """A rule for jobs. `type` and `account` narrow it; `times` counts down the jobs, and None means until cleared."""

    type: str | None = None
    account: str | None = None
    times: int | None = 1
    seconds: tuple[float, float] | None = None
    outcome: Outcome = "complete"
    fail_share: float = 0.0
    expires: float | None = None
    caps: dict[str, int] = field(default_factory=dict)
    """The maximum number of jobs in progress, by type. A rule that says nothing else is never used up."""

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "Rule":
        """A rule from what was sent to the side door."""
        rule = cls(**raw)
        if rule.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome {rule.outcome!r}; known: {', '.join(sorted(OUTCOMES))}")
        if not 0 <= rule.fail_share <= 1:
            raise ValueError(f"fail_share is a share from 0 to 1, not {rule.fail_share}")
        if "seconds" in raw:
            low, high = raw["seconds"] if isinstance(raw["seconds"], list) else (raw["seconds"], raw["seconds"])
            rule.seconds = float(low), float(high)
        return rule

    def fits(self, account: str, type: str) -> bool:
        """Whether it applies to jobs of this type in this account."""
        return self.account in (None, account) and self.type in (None, type)

    def plans(self) -> bool:
        """Whether it says what a job does."""
        return (self.seconds, self.outcome, self.fail_share, self.expires) != (None, "complete", 0.0, None)


class JobRules:
    """The active rules, in the order in which they were added."""

    def __init__(self, random: Random, seconds: tuple[float, float]) -> None:
        self.active: list[Rule] = []
        self._random = random
        self._seconds = seconds

    def plan(self, account: str, type: str) -> Plan:
        """What a job that starts now will do, by the first matching rule, whose count goes down."""
        found = next((one for one in self.active if one.plans() and one.fits(account, type)), None)
        if found and found.times is not None:
            found.times -= 1
            if found.times <= 0:
                self.active.remove(found)
        rule = found or Rule()
        seconds = self._random.uniform(*(rule.seconds or self._seconds))
        return Plan(seconds, rule.outcome, rule.fail_share, rule.expires)

    def cap(self, account: str, type: str, usual: int | None) -> int | None:
        """How many jobs of a type may be in progress; None is unlimited."""
        caps = [rule.caps[type] for rule in self.active if rule.account in (None, account) and type in rule.caps]
        return caps[-1] if caps else usual
