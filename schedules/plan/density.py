"""How many rows lie in a window of time, told from a few pages that were read here and there in it. Pure.

A page of rows in order says how dense they lie where it begins. From there to where the next page begins, the density
is taken to go evenly from the one to the other. Times are in seconds since 1970.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

#: Share of all rows by which a number may be off: well within a tenth, no further page is read; beyond, at any price.
EXACT, ROUGH = 0.04, 0.1

#: Pages that are read whatever the first ones say: two that look alike prove little.
LEAST = 12

#: Pages that are read at most of a short window, and of any; in between, no more than a share of all pages.
SHORT, MOST, SHARE = 24, 64, 1 / 2

#: Steps of this share of the window lie evenly however many are made, and never in step with days or weeks.
GOLDEN = (math.sqrt(5) - 1) / 2

#: How much more than usual the density changes from a page to the next where something began or ended in between.
EDGE = 3

#: Share of all rows by which one uncertain place is worth looking at before others.
LARGE = 0.1

#: Rows that tell a density. Fewer are chance, more lead too far away from where they begin.
ENOUGH = 150

#: Klaviyo's times are cut to seconds: a page may begin and end in the same one.
SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Curve:
    """How many rows there are up to a time: ``ranks`` at ``times``, both rising, with straight lines between them."""

    times: Sequence[float]
    ranks: Sequence[float]

    @property
    def total(self) -> float:
        """All rows."""
        return self.ranks[-1] if self.ranks else 0.0

    def rank(self, time: float) -> float:
        """How many rows lie before a time."""
        return _between(self.times, self.ranks, time)

    def time(self, rank: float) -> float:
        """The time of a row."""
        return _between(self.ranks, self.times, rank)

    def then(self, later: Curve) -> Curve:
        """What lies later, behind it."""
        return Curve([*self.times, *later.times], [*self.ranks, *(self.total + rank for rank in later.ranks)])


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    place = bisect_left(xs, x)
    if place == 0 or place == len(xs):
        return ys[min(place, len(ys) - 1)]
    low, high = xs[place - 1], xs[place]
    return ys[place - 1] + (ys[place] - ys[place - 1]) * (x - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows from ``begin`` to ``end``, by their times in order. ``density``: how many a second, where it was asked.

    That is a time chosen without regard to the rows, at its begin or, read backwards, at its end. The other side is
    none: a page ends at a row, more often where they are dense.
    """

    begin: float
    end: float
    times: Sequence[float]
    density: float

    @classmethod
    def read(cls, begin: float, end: float, times: Iterable[float], backwards: bool = False) -> Page:
        """A page that was asked for from ``begin`` or, backwards, from ``end``."""
        ordered = sorted(times)
        far = [end - time for time in reversed(ordered)] if backwards else [time - begin for time in ordered]
        span = far[ENOUGH] if len(far) > ENOUGH else end - begin
        # One row less: the time until the n-th comes is not n times the mean.
        return cls(begin, end, ordered, max(min(len(far), ENOUGH + 1) - 1, 0.5) / max(span, SECOND))

    def since(self, time: float) -> Page:
        """What of it would have been read from a later time on; of too few rows the density would be chance."""
        rest = self.times[self.before(time) :]
        return (
            Page.read(time, self.end, rest)
            if 2 * len(rest) > len(self.times)
            else replace(self, begin=time, times=rest)
        )

    def before(self, time: float) -> int:
        """How many of its rows lie before a time."""
        return bisect_left(self.times, time)


@dataclass(frozen=True, slots=True)
class Cell:
    """From where one page begins to where the next one does: how many rows, and how many more or less it may be."""

    page: Page
    end: float
    rows: float
    error: float


@dataclass(slots=True)
class Survey:
    """What is known of a window after some of its pages, each of ``size`` rows: the first, the last, and others."""

    size: int
    pages: list[Page] = field(default_factory=list)
    read: int = 0
    steps: int = 0

    def add(self, page: Page) -> None:
        """Take one more page into account."""
        self.read += 1
        self.pages = sorted([*self.pages, page], key=lambda each: each.begin)

    @property
    def rows(self) -> float:
        """How many rows there seem to be."""
        return sum(cell.rows for cell in self.cells())

    @property
    def error(self) -> float:
        """The share by which that may be off."""
        cells = self.cells()
        return math.hypot(*(cell.error for cell in cells)) / max(sum(cell.rows for cell in cells), 1.0)

    def cells(self) -> list[Cell]:
        """The window, cut where its pages begin."""
        pairs = list(zip(self.pages, self.pages[1:], strict=False))
        unread = [(left, right) for left, right in pairs if left.end < right.begin]
        change = sum((right.begin - left.begin) * abs(left.density - right.density) for left, right in unread)
        usual = change / sum((right.begin - left.begin for left, right in unread), SECOND)
        found = []
        for left, right in pairs:
            seen, span = left.before(right.begin), right.begin - left.begin
            if left.end >= right.begin:
                found.append(Cell(left, right.begin, seen, 0.0))
                continue
            low, high = sorted((left.density, right.density))
            mean, rest = (low + high) / 2, right.begin - left.end
            chance = mean * math.sqrt(2 / min(ENOUGH, self.size))
            unsure = max(high - low if high - low > EDGE * usual else usual, chance)
            rows = min(max(span * mean, seen + rest * low), seen + rest * high)
            found.append(Cell(left, right.begin, rows, rest * unsure))
        last = self.pages[-1]
        return [*found, Cell(last, last.end, len(last.times), 0.0)]

    def look(self) -> float | None:
        """The time from which to read the next page; None where what is known will do."""
        while True:
            unread = [cell for cell in self.cells() if cell.error]
            if not unread or self._enough():
                return None
            if self.rows < LEAST * self.size:
                return unread[0].page.end  # so short that one page after the other is the quickest way
            worst = max(unread, key=lambda cell: cell.error)
            if worst.error > LARGE * self.rows or self.steps >= MOST:
                return (worst.page.end + worst.end) / 2
            # Evenly otherwise. To look closer where rows are dense, and not where they are sparse, finds too few of
            # what swings from day to night.
            self.steps += 1
            begin, end = self.pages[0].begin, self.pages[-1].begin
            time = begin + (end - begin) * (self.steps * GOLDEN % 1)
            read = next((page for page in self.pages if page.begin <= time <= page.end), None)
            if read is None:
                return time
            self.pages = sorted([*self.pages, read.since(time)], key=lambda each: each.begin)

    def _enough(self) -> bool:
        """Whether another page would not be worth it."""
        pages = self.rows / self.size
        most = max(SHORT, min(MOST, pages if self.error > ROUGH else pages * SHARE))
        return self.read >= most or (self.read >= LEAST and self.error <= EXACT)

    def curve(self) -> Curve:
        """The rows over time as they seem to lie."""
        times: list[float] = []
        ranks: list[float] = []
        count = 0.0
        for cell in self.cells():
            seen = cell.page.before(cell.end) if cell.end < cell.page.end else len(cell.page.times)
            times += [cell.page.begin, *cell.page.times[:seen]]
            ranks += [count, *(count + place for place in range(seen))]
            if cell.page.end < cell.end:
                times.append(cell.page.end)
                ranks.append(count + seen)
            count += cell.rows
        return Curve([*times, self.pages[-1].end], [*ranks, count])
