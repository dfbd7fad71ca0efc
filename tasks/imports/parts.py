"""Requests of a size that Klaviyo takes: the same source with the same options always makes the same parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.imports.plan import Plan
from tasks.imports.rejects import Rejected
from tasks.imports.rows import Judged, judge
from tasks.imports.seen import Seen
from tasks.imports.sources import Source
from tasks.jobs.rows import joined


@dataclass(frozen=True, slots=True)
class Part:
    """One request. ``number`` counts from 1; ``rows`` are the numbers of its items' rows, in order: ``1-9,11``."""

    number: int
    body: bytes
    rows: str


def parts(source: Source, plan: Plan) -> Iterator[Part | Rejected]:
    """The requests of a source and its bad rows, each as soon as it is known.

    The rows of parts follow the order of the source, and so do the rejected ones.

    Raises:
        SourceError: the source turned out not to be what it claims.

    """
    seen = Seen()
    splitter = _Splitter(plan)
    for batch in source.batches():
        judged = judge(batch, plan, seen)
        for first, items in _runs(judged):
            yield from splitter.add(batch.first + first, items)
        for place in sorted(judged.rejected):
            yield Rejected(batch.first + place, "check", judged.rejected[place], batch.rows[place])
    yield from splitter.rest()


def _runs(judged: Judged) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Items whose rows follow each other, with the place of the first."""
    places, start = judged.places, 0
    if places and places[-1] - places[0] + 1 != len(places):
        for at, (place, following) in enumerate(pairwise(places), 1):
            if following != place + 1:
                yield places[start], judged.items[start:at]
                start = at
    if places:
        yield places[start], judged.items[start:]


class _Splitter:
    """Collects items until one more would be too much: by bytes first, then by count."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._most_items = plan.kind.most_items
        self._most_bytes = plan.kind.most_bytes - len(plan.before) - len(plan.after)
        self._number = 0
        self._empty()

    def _empty(self) -> None:
        self._items: list[bytes] = []
        self._bytes = -1  # each item counts with a comma, and there is one comma less than there are items
        self._spans: list[tuple[int, int]] = []

    def add(self, first: int, items: Sequence[bytes]) -> Iterator[Part]:
        """Take items of the rows from ``first`` on; the parts that are full by then."""
        size = sum(map(len, items)) + len(items)
        if self._has_room(len(items), size):
            self._take(first, items, size)
            return
        for row, item in enumerate(items, first):
            if self._items and not self._has_room(1, len(item) + 1):
                yield self._part()
            self._take(row, [item], len(item) + 1)

    def rest(self) -> Iterator[Part]:
        """The last part, if anything is left."""
        if self._items:
            yield self._part()

    def _has_room(self, count: int, size: int) -> bool:
        return self._bytes + size <= self._most_bytes and len(self._items) + count <= self._most_items

    def _take(self, first: int, items: Sequence[bytes], size: int) -> None:
        self._items += items
        self._bytes += size
        self._spans.append((first, first + len(items) - 1))

    def _part(self) -> Part:
        self._number += 1
        body = self._plan.before + b",".join(self._items) + self._plan.after
        part = Part(self._number, body, joined(self._spans))
        self._empty()
        return part
