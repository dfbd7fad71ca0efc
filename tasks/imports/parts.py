"""Split rows into requests of a size that Klaviyo accepts. The same source and options always make the same parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tasks.imports.plan import Plan
from tasks.imports.rejects import CHECK, Rejected
from tasks.imports.rows import judge
from tasks.imports.seen_keys import SeenKeys
from tasks.imports.sources import Source
from tasks.jobs.rows import format_spans


@dataclass(frozen=True, slots=True)
class Part:
    """One request. ``number`` counts from 1; ``rows`` are the row numbers of its items, in order: ``1-9,11``."""

    number: int
    body: bytes
    rows: str


def split_into_parts(source: Source, plan: Plan) -> Iterator[Part | Rejected]:
    """Yield the requests of a source and its rejected rows, each as soon as it is known.

    Both are in the order of the source.

    Raises:
        SourceError: the source turned out not to be what it claims to be.

    """
    seen = SeenKeys()
    splitter = Splitter(plan)
    for batch in source.batches():
        judged = judge(batch, plan, seen)
        if judged.rows:
            yield from splitter.add(judged.rows, judged.lines)
        for row in sorted(judged.rejected):
            stage = judged.repeated.get(row, CHECK)
            yield Rejected(row, stage, judged.rejected[row], batch.rows[row - batch.first])
    yield from splitter.rest()


class Splitter:
    """Collects items until one more would be too many: by bytes first, then by count."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._max_items = plan.kind.max_items
        self._max_bytes = plan.kind.max_bytes - len(plan.before) - len(plan.after)
        self._number = 0
        self._empty()

    def _empty(self) -> None:
        self._pieces = [self._plan.before]
        self._count = 0
        self._bytes = -1  # each item counts with a comma, and there is one comma fewer than there are items
        self._spans: list[tuple[int, int]] = []

    def add(self, rows: Sequence[int], lines: bytes) -> Iterator[Part]:
        """Take the items of these rows, one a line, and yield the parts that this fills."""
        if self._has_room(len(rows), lines):
            self._take(rows, lines)
            return
        items = lines.split(b"\n")
        ends = [0, *accumulate(len(item) + 1 for item in items)]
        start = 0
        while start < len(items):
            by_bytes = bisect_right(ends, ends[start] + self._max_bytes - self._bytes) - 1
            stop = min(by_bytes, start + self._max_items - self._count)
            if stop <= start and self._count:
                yield self._part()
                continue
            stop = max(stop, start + 1)
            self._take(rows[start:stop], b"\n".join(items[start:stop]))
            start = stop

    def rest(self) -> Iterator[Part]:
        """Yield the last part, if anything is left."""
        if self._count:
            yield self._part()

    def _has_room(self, count: int, lines: bytes) -> bool:
        return self._bytes + len(lines) + 1 <= self._max_bytes and self._count + count <= self._max_items

    def _take(self, rows: Sequence[int], lines: bytes) -> None:
        self._pieces += [b"," if self._count else b"", lines.replace(b"\n", b",")]
        self._count += len(rows)
        self._bytes += len(lines) + 1
        if rows[-1] - rows[0] + 1 == len(rows):
            self._spans.append((rows[0], rows[-1]))
        else:
            self._spans += zip(rows, rows, strict=True)

    def _part(self) -> Part:
        self._number += 1
        part = Part(self._number, b"".join([*self._pieces, self._plan.after]), format_spans(self._spans))
        self._empty()
        return part
