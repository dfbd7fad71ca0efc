"""Why rows did not land, counted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Reasons that are told apart at most; whoever sends nonsense must not fill the memory.
MOST = 100

#: What differs from row to row in reasons that are the same: numbers, and what is quoted.
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")


class Reasons:
    """How often each reason was given; those that differ only in a number or a quotation are one, told by the first."""

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        self._counts: dict[str, tuple[str, int]] = {}
        for each in reasons:
            self.add(each)

    def add(self, reason: str) -> None:
        """Count one row."""
        alike = _VARIES.sub("…", reason)
        if alike not in self._counts and len(self._counts) >= MOST:
            alike = reason = "other reasons"
        told, count = self._counts.get(alike, (reason, 0))
        self._counts[alike] = told, count + 1

    def most_frequent(self) -> list[tuple[str, int]]:
        """Each reason with its count, the most frequent first."""
        return sorted(self._counts.values(), key=lambda each: -each[1])
