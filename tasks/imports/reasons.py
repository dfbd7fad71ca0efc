"""Why rows did not land, counted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from tasks.jobs.rows import format_spans

#: The most reasons that are counted apart, so that nonsense cannot fill the memory.
MAX_REASONS = 100

#: Rows that are named as examples of a reason, and the most stretches of rows that are kept of one.
EXAMPLE_ROWS, MAX_SPANS = 5, 100

#: What varies from row to row in the same reason: numbers and quotations.
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")


class Reasons:
    """Counts reasons. Those that differ only in a number or a quotation are one, worded as the first."""

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        self._counts: dict[str, tuple[str, int]] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for each in reasons:
            self.add(each)

    def add(self, reason: str, row: int | None = None) -> None:
        """Count one row, and remember which, as long as it lies in one of the first `MAX_SPANS` of its reason."""
        alike = _VARIES.sub("…", reason)
        if alike not in self._counts and len(self._counts) >= MAX_REASONS:
            alike = reason = "other reasons"
        wording, count = self._counts.get(alike, (reason, 0))
        self._counts[alike] = wording, count + 1
        spans = self._spans.setdefault(wording, [])
        if row is None:
            return
        if spans and spans[-1][1] == row - 1:
            spans[-1] = (spans[-1][0], row)
        elif len(spans) < MAX_SPANS:
            spans.append((row, row))

    def first_rows(self, reason: str) -> list[int]:
        """Return the first rows with one of the `most_frequent` reasons."""
        return list(islice(self._rows(reason), EXAMPLE_ROWS))

    def rows(self, reason: str) -> str:
        """Return which rows one of the `most_frequent` reasons concerns, as far as they are kept: ``1-9,11``."""
        return format_spans(sorted(self._spans[reason]))

    def _rows(self, reason: str) -> Iterator[int]:
        return (row for first, last in self._spans[reason] for row in range(first, last + 1))

    def most_frequent(self) -> list[tuple[str, int]]:
        """Return each reason with its count, the most frequent first."""
        return sorted(self._counts.values(), key=lambda each: -each[1])
