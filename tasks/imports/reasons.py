"""Why rows did not land, counted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The most reasons that are counted apart, so that nonsense cannot fill the memory.
MOST = 100

#: Rows that are kept as examples of a reason.
EXAMPLES = 5

#: What varies from row to row in the same reason: numbers and quotations.
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")


class Reasons:
    """Counts reasons. Those that differ only in a number or a quotation are one, worded as the first."""

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        self._counts: dict[str, tuple[str, int]] = {}
        self._rows: dict[str, list[int]] = {}
        for each in reasons:
            self.add(each)

    def add(self, reason: str, row: int | None = None) -> None:
        """Count one row, and keep it as an example if it is among the first of its reason."""
        alike = _VARIES.sub("…", reason)
        if alike not in self._counts and len(self._counts) >= MOST:
            alike = reason = "other reasons"
        wording, count = self._counts.get(alike, (reason, 0))
        self._counts[alike] = wording, count + 1
        first = self._rows.setdefault(wording, [])
        if row is not None and len(first) < EXAMPLES:
            first.append(row)

    def first_rows(self, reason: str) -> list[int]:
        """Return the first rows with one of the `most_frequent` reasons."""
        return self._rows[reason]

    def most_frequent(self) -> list[tuple[str, int]]:
        """Return each reason with its count, the most frequent first."""
        return sorted(self._counts.values(), key=lambda each: -each[1])
