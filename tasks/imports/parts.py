"""Requests of a size that Klaviyo takes: the same source with the same options always makes the same parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import getitem
from typing import Any

import orjson

from tasks.imports.kinds import KINDS
from tasks.imports.plan import Plan
from tasks.imports.rejects import Rejected
from tasks.imports.rows import Judged, judge
from tasks.imports.seen import Seen
from tasks.imports.sources import Source


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
        part = Part(self._number, body, _joined(self._spans))
        self._empty()
        return part


# The rows of a part.


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as a short text: 1, 2, 3 and 7 are ``1-3,7``."""
    return _joined((number, number) for number in numbers)


def numbers(ranges: str) -> list[int]:
    """The numbers that such a text stands for."""
    found: list[int] = []
    for each in filter(None, ranges.split(",")):
        first, _, last = each.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _joined(spans: Iterable[tuple[int, int]]) -> str:
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in joined)


# What becomes of a part that Klaviyo refused.


def pointed(kind: str, pointers: Iterable[str]) -> list[int]:
    """The items that the pointers of Klaviyo's errors name, ``/data/attributes/profiles/data/17/attributes/email``."""
    place = re.compile("/" + "/".join(map(re.escape, KINDS[kind].path)) + r"/(\d+)(?:/|$)")
    return sorted({int(found[1]) for pointer in pointers if (found := place.match(pointer))})


def without(kind: str, part: Part, indexes: Iterable[int]) -> Part | None:
    """The part without some of its items; None where nothing is left."""
    out = set(indexes)
    return _some(kind, part, [place for place in range(len(numbers(part.rows))) if place not in out])


def halves(kind: str, part: Part) -> tuple[Part, Part] | None:
    """The part as two, to find out which items Klaviyo does not take; None where it is a single item."""
    places = range(len(numbers(part.rows)))
    middle = len(places) // 2
    first, second = _some(kind, part, places[:middle]), _some(kind, part, places[middle:])
    return (first, second) if first and second else None


def _some(kind: str, part: Part, places: Sequence[int]) -> Part | None:
    if not places:
        return None
    body = orjson.loads(part.body)
    *above, last = KINDS[kind].path
    holder: dict[str, Any] = reduce(getitem, above, body)
    holder[last] = [holder[last][place] for place in places]
    rows = numbers(part.rows)
    return Part(part.number, orjson.dumps(body), ranges(rows[place] for place in places))
