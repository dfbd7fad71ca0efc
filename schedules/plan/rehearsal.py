"""A run as it will read, played through without a request: how many pages, and how many after each other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from schedules.plan.density import Curve
from schedules.pull.slices import middle


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """``rounds``: how many pages come one after the other in the window that takes longest."""

    pages: int
    rounds: int


@dataclass(slots=True)
class Window:
    """``row``: how many rows lie before its next page; ``rows``: up to which its cursor leads; both counted from the
    beginning of the run. It is over where its rows are, or at ``until``.
    """

    row: float
    rows: float
    until: float | None


def rehearse(
    curve: Curve, until: float | None, now: float, size: int, chains: int, early: float = 0.0
) -> Rehearsal:  # fmt: skip
    """Read the rows of a curve by pages of this size, in windows that are cut while fewer than ``chains`` are open.

    ``early``: seconds by which a window begins before the cut, where Klaviyo's filter leaves out the bound itself.
    """
    open_ = [Window(0.0, curve.total, until)]
    pages = rounds = 0
    while open_:
        rounds += 1
        for window in list(open_):
            pages += 1
            first = curve.time(window.row)
            window.row += size
            reached = curve.time(min(window.row, window.rows))
            more = window.row < window.rows
            if more and len(open_) < chains and (cut := _cut(first, reached, window.until or now)):
                open_.append(Window(curve.rank(cut - early), window.rows, window.until))
                window.until = cut
            if not more or (window.until and reached >= window.until):
                open_.remove(window)
    return Rehearsal(pages, rounds)


def _cut(first: float, reached: float, until: float) -> float | None:
    # Klaviyo's times are whole seconds: a page within one has no span, and is not cut behind.
    cut = middle(*(datetime.fromtimestamp(int(time), UTC) for time in (first, reached, until)))
    return cut.timestamp() if cut else None
