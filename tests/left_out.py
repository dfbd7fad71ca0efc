"""What a run has left out, in a line for each reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def left_out(reasons: Iterable[str]) -> list[str]:
    """A line for each of the reasons for which tests were skipped, with how many they were."""
    counted = Counter(reason.removeprefix("Skipped: ") for reason in reasons)
    return [f"Left out: {number:,} test{'s'[: number > 1]}: {reason}." for reason, number in counted.items()]
