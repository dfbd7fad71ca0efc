"""Cutting a window of time in two, so that both halves are read at once. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

#: Pages that a window must still have, by its density so far, for a cut to be worth its price of a page.
WORTH = 16

#: Windows of one stream that are read at once: a worker has as many threads.
MOST = 32

#: A cut is at least so far from either end of what is left: a window is asked for from a second before its beginning,
#: and one that is shorter than that would be cut for ever.
APART = timedelta(seconds=2)

#: How many more windows are read at once than the budget would need if each took as long as the last page: what is
#: under way is lost with its worker, what is not under way leaves budget unused.
MORE = 1.1


def chains(steady: int, seconds: float) -> int:
    """How many windows to read at once, each a page after the other, to make so many requests a minute.

    ``seconds``: how long Klaviyo takes to answer.
    """
    return max(2, min(MOST, math.ceil(steady / 60 * seconds * MORE)))


def middle(first: datetime, reached: datetime, until: datetime) -> datetime | None:
    """Where to cut what is left of a window, of which one page went from ``first`` to ``reached``; None: not at all."""
    span, left = reached - first, until - reached
    if span.total_seconds() <= 0 or left / span < WORTH:
        return None
    cut = (reached + left / 2).replace(microsecond=0)
    return cut if reached + APART <= cut <= until - APART else None
