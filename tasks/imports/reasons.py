"""Why rows did not land, counted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Reasons that are told apart at most; whoever sends nonsense must not fill the memory.
MOST = 100

#: Rows that are remembered as examples of a reason.
EXAMPLES = 5

#: What differs from row to row in reasons that are the same: numbers, and what is quoted.
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")


class Reasons:
    """How often each reason was given; those that differ only in a number or a quotation are one, told by the first."""

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        self._counts: dict[str, tuple[str, int]] = {}
        self._rows: dict[str, list[int]] = {}
        for each in reasons:
            self.add(each)

    def add(self, reason: str, row: int | None = None) -> None:
        """Count one row, and remember it where it is among the first of its reason."""
        alike = _VARIES.sub("…", reason)
        if alike not in self._counts and len(self._counts) >= MOST:
            alike = reason = "other reasons"
        told, count = self._counts.get(alike, (reason, 0))
        self._counts[alike] = told, count + 1
        first = self._rows.setdefault(told, [])
        if row is not None and len(first) < EXAMPLES:
            first.append(row)

    def first_rows(self, reason: str) -> list[int]:
        """The first of the rows that have this one of the `most_frequent` reasons."""
        return self._rows[reason]

    def most_frequent(self) -> list[tuple[str, int]]:
        """Each reason with its count, the most frequent first."""
        return sorted(self._counts.values(), key=lambda each: -each[1])
