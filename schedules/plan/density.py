"""How many rows a window of time has, estimated from a few sampled pages. Pure.

A page of ordered rows shows how dense they are where it begins. From there to the start of the next page, the density
is assumed to change linearly. Times are Unix times, in seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

#: Errors as shares of all rows: below the first one, reading stops; above the second one, no page is too expensive.
GOOD_ERROR, POOR_ERROR = 0.04, 0.1

#: Pages that are always read: two that look alike prove little.
MIN_PAGES = 12

#: The most pages that are read of a short window and of any window; in between, the most as a share of all pages.
MAX_PAGES_SHORT, MAX_PAGES, MAX_SHARE = 24, 64, 1 / 2

#: Steps of this share of the window are spread evenly however many there are, and never in step with days or weeks.
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

#: A change of density by this factor more than usual means that something began or ended between two pages.
EDGE_FACTOR = 3

#: The error of one gap, as a share of all rows, from which it is sampled before any other.
LARGE_ERROR = 0.1

#: Rows from which a density is computed. Fewer are chance; more lead too far away from where they begin.
DENSITY_ROWS = 150

#: Klaviyo's times are whole seconds: a page may begin and end in the same one.
RESOLUTION_S = 1.0


@dataclass(frozen=True, slots=True)
class Curve:
    """How many rows there are up to a time: ``ranks`` at ``times``, both ascending, with straight lines in between."""

    times: Sequence[float]
    ranks: Sequence[float]

    @property
    def total(self) -> float:
        """Return how many rows there are."""
        return self.ranks[-1] if self.ranks else 0.0

    def rank(self, time: float) -> float:
        """Return how many rows come before a time."""
        return _between(self.times, self.ranks, time)

    def time(self, rank: float) -> float:
        """Return the time of the row with this rank."""
        return _between(self.ranks, self.times, rank)

    def followed_by(self, later: Curve) -> Curve:
        """Return this curve with a later one appended."""
        return Curve([*self.times, *later.times], [*self.ranks, *(self.total + rank for rank in later.ranks)])


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    place = bisect_left(xs, x)
    if place == 0 or place == len(xs):
        return ys[min(place, len(ys) - 1)]
    low, high = xs[place - 1], xs[place]
    return ys[place - 1] + (ys[place] - ys[place - 1]) * (x - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Sample:
    """The times of the rows from ``begin`` to ``end``, in order. ``density``: rows a second where it was requested.

    That is at its start or, read backwards, at its end: a time chosen without regard to the rows. The other side is
    not: a page ends at a row, more often where rows are dense.
    """

    begin: float
    end: float
    times: Sequence[float]
    density: float

    @classmethod
    def read(cls, begin: float, end: float, times: Iterable[float], backwards: bool = False) -> Sample:
        """Make one from a page that was requested from ``begin`` on or, backwards, from ``end``."""
        ordered = sorted(times)
        far = [end - time for time in reversed(ordered)] if backwards else [time - begin for time in ordered]
        span = far[DENSITY_ROWS] if len(far) > DENSITY_ROWS else end - begin
        # One row less: the time until the n-th row is not n times the mean interval.
        return cls(begin, end, ordered, max(min(len(far), DENSITY_ROWS + 1) - 1, 0.5) / max(span, RESOLUTION_S))

    def since(self, time: float) -> Sample:
        """Return it as if it had been read from a later time on; the old density stays if too few rows are left."""
        rest = self.times[self.before(time) :]
        return (
            Sample.read(time, self.end, rest)
            if 2 * len(rest) > len(self.times)
            else replace(self, begin=time, times=rest)
        )

    def before(self, time: float) -> int:
        """Return how many of its rows come before a time."""
        return bisect_left(self.times, time)


@dataclass(frozen=True, slots=True)
class Cell:
    """The time from the start of one page to that of the next: its rows, and how many more or fewer they may be."""

    page: Sample
    end: float
    rows: float
    error: float


@dataclass(slots=True)
class Survey:
    """What is known of a window after reading some of its pages of ``size`` rows: the first, the last, and others."""

    size: int
    pages: list[Sample] = field(default_factory=list)
    read: int = 0
    steps: int = 0

    def add(self, page: Sample) -> None:
        """Take one more page into account."""
        self.read += 1
        self.pages = sorted([*self.pages, page], key=lambda each: each.begin)

    @property
    def rows(self) -> float:
        """Return how many rows the window seems to have."""
        return sum(cell.rows for cell in self.cells())

    @property
    def error(self) -> float:
        """Return the share by which `rows` may be wrong."""
        cells = self.cells()
        return math.hypot(*(cell.error for cell in cells)) / max(sum(cell.rows for cell in cells), 1.0)

    def cells(self) -> list[Cell]:
        """Return the window, cut where its pages begin."""
        pairs = list(zip(self.pages, self.pages[1:], strict=False))
        unread = [(left, right) for left, right in pairs if left.end < right.begin]
        change = sum((right.begin - left.begin) * abs(left.density - right.density) for left, right in unread)
        usual = change / sum((right.begin - left.begin for left, right in unread), RESOLUTION_S)
        found = []
        for left, right in pairs:
            seen, span = left.before(right.begin), right.begin - left.begin
            if left.end >= right.begin:
                found.append(Cell(left, right.begin, seen, 0.0))
                continue
            low, high = sorted((left.density, right.density))
            mean, rest = (low + high) / 2, right.begin - left.end
            chance = mean * math.sqrt(2 / min(DENSITY_ROWS, self.size))
            unsure = max(high - low if high - low > EDGE_FACTOR * usual else usual, chance)
            rows = min(max(span * mean, seen + rest * low), seen + rest * high)
            found.append(Cell(left, right.begin, rows, rest * unsure))
        last = self.pages[-1]
        return [*found, Cell(last, last.end, len(last.times), 0.0)]

    def next_time(self) -> float | None:
        """Return the time from which to read the next page; None if what is known is enough."""
        while True:
            unread = [cell for cell in self.cells() if cell.error]
            if not unread or self._is_good_enough():
                return None
            if self.rows < MIN_PAGES * self.size:
                return unread[0].page.end  # so short that reading page after page is quickest
            worst = max(unread, key=lambda cell: cell.error)
            if worst.error > LARGE_ERROR * self.rows or self.steps >= MAX_PAGES:
                return (worst.page.end + worst.end) / 2
            # Otherwise evenly. Sampling more where rows are dense, and less where they are sparse, would
            # underestimate what swings from day to night.
            self.steps += 1
            begin, end = self.pages[0].begin, self.pages[-1].begin
            time = begin + (end - begin) * (self.steps * GOLDEN_RATIO % 1)
            read = next((page for page in self.pages if page.begin <= time <= page.end), None)
            if read is None:
                return time
            self.pages = sorted([*self.pages, read.since(time)], key=lambda each: each.begin)

    def _is_good_enough(self) -> bool:
        """Return True if another page would not be worth it."""
        pages = self.rows / self.size
        most = max(MAX_PAGES_SHORT, min(MAX_PAGES, pages if self.error > POOR_ERROR else pages * MAX_SHARE))
        return self.read >= most or (self.read >= MIN_PAGES and self.error <= GOOD_ERROR)

    def curve(self) -> Curve:
        """Return the estimated curve of the window's rows."""
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
