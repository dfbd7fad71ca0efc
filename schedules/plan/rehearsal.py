"""Simulating a run without requests: how many pages it reads, and how many of them one after the other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from schedules.plan.density import Curve
from schedules.pull.slices import midpoint


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How many pages a run reads; ``rounds``: those of the window that takes longest, one after the other."""

    pages: int
    rounds: int


@dataclass(slots=True)
class Cursor:
    """An open window. ``row``: the first row of its next page; ``rows``: where its cursor ends; both counted from the
    start of the run. It is closed when its rows are read, or ``until`` is reached.
    """

    row: float
    rows: float
    until: float | None


def rehearse(
    curve: Curve, until: float | None, now: float, size: int, parallel: int, early: float = 0.0
) -> Rehearsal:  # fmt: skip
    """Read the rows of a curve in pages of this size, in windows that are cut while fewer than ``parallel`` are open.

    ``early``: seconds by which a window begins before the cut, if Klaviyo's filter excludes the bound itself.
    """
    open_ = [Cursor(0.0, curve.total, until)]
    pages = rounds = 0
    while open_:
        rounds += 1
        for window in list(open_):
            pages += 1
            first = curve.time(window.row)
            window.row += size
            reached = curve.time(min(window.row, window.rows))
            more = window.row < window.rows
            if more and len(open_) < parallel and (cut := _cut(first, reached, window.until or now)):
                open_.append(Cursor(curve.rank(cut - early), window.rows, window.until))
                window.until = cut
            if not more or (window.until and reached >= window.until):
                open_.remove(window)
    return Rehearsal(pages, rounds)


def _cut(first: float, reached: float, until: float) -> float | None:
    # Klaviyo's times are whole seconds: a page within one has no span, and no cut follows it.
    cut = midpoint(*(datetime.fromtimestamp(int(time), UTC) for time in (first, reached, until)))
    return cut.timestamp() if cut else None
