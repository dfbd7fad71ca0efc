"""Known pitfalls of reading from Klaviyo, each of which has broken a real sync, to be switched on."""

from dataclasses import dataclass
from typing import Any

from sandbox.errors import refusal
from sandbox.reading.filters import Condition
from sandbox.times import from_iso

_UPPER = frozenset({"less-than", "less-or-equal"})


@dataclass(slots=True)
class Traps:
    """The traps of one account; all are off at first."""

    bound_included: bool = False
    """`greater-than` includes rows equal to its bound."""
    unsorted_archived_campaigns: bool = False
    """Archived campaigns come slightly out of order."""
    cursor_seconds: float | None = None
    """How long a cursor remains valid."""
    refuse_future_end: bool = False
    """A filter that ends in the future is refused."""

    def apply_to(self, conditions: list[Condition], now: float) -> list[Condition]:
        """The conditions as they apply, or a 400."""
        if self.refuse_future_end and any(_ends_after(condition, now) for condition in conditions):
            raise refusal(400, "End date may not be in the future", parameter="filter")
        if not self.bound_included:
            return conditions
        return [
            Condition("greater-or-equal", one.field, one.values) if one.operator == "greater-than" else one
            for one in conditions
        ]

    def shuffle(self, ids: list[str], conditions: list[Condition]) -> list[str]:
        """The ids of a page of campaigns, some of them swapped with the next."""
        if not self.unsorted_archived_campaigns or Condition("equals", "archived", (True,)) not in conditions:
            return ids
        shown = list(ids)
        for at in range(0, len(shown) - 1, 3):
            shown[at], shown[at + 1] = shown[at + 1], shown[at]
        return shown


def _ends_after(condition: Condition, now: float) -> bool:
    value: Any = condition.values[0] if condition.values else None
    if condition.operator not in _UPPER:
        return False
    if condition.field == "timestamp":
        return isinstance(value, int | float) and value > now
    moment = from_iso(value) if isinstance(value, str) else None
    return moment is not None and moment.timestamp() > now
