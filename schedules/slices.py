"""Cutting a window of time in two, so that both halves are read at once. Pure."""

from __future__ import annotations

import math
from datetime import datetime

#: Pages that a window must still have, by its density so far, for a cut to be worth its price of a page.
WORTH = 8

#: Seconds that an answer may take: what is to be under way at once follows from it and from the budget.
LATENCY = 1.0

#: Windows of one stream that are read at once: a worker has as many threads.
MOST = 32


def chains(steady: int) -> int:
    """How many windows to read at once so that so many requests a minute are made, each after the one before it."""
    return max(2, min(MOST, math.ceil(steady / 60 * LATENCY)))


def middle(first: datetime, reached: datetime, until: datetime) -> datetime | None:
    """Where to cut what is left of a window, of which one page went from ``first`` to ``reached``; None: not at all."""
    span, left = reached - first, until - reached
    if span.total_seconds() <= 0 or left / span < WORTH:
        return None
    cut = (reached + left / 2).replace(microsecond=0)
    return cut if reached < cut < until else None
