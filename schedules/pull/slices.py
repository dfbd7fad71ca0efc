"""Cutting a window of time in two, so that both halves are read at the same time. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

#: Pages that a window must still have, by its density so far, for a cut to be worth its price of one page.
MIN_PAGES_LEFT = 16

#: Windows of one stream that are read at the same time at most: a worker has as many threads.
MAX_PARALLEL_WINDOWS = 32

#: The shortest distance of a cut from either end. A window starts one second early, so shorter ones
#: would be cut without end.
MIN_WINDOW = timedelta(seconds=2)

#: Read this factor more windows than the budget needs at the last page's latency. Higher: a dead worker costs more.
#: Lower: budget stays unused.
PARALLEL_MARGIN = 1.1


def parallel_windows(steady: int, seconds: float) -> int:
    """Return how many windows to read at once, each page by page, to make ``steady`` requests a minute.

    ``seconds``: how long Klaviyo takes to answer.
    """
    return max(2, min(MAX_PARALLEL_WINDOWS, math.ceil(steady / 60 * seconds * PARALLEL_MARGIN)))


def midpoint(first: datetime, reached: datetime, until: datetime) -> datetime | None:
    """Return where to cut the rest of a window, one page of which went from ``first`` to ``reached``; None: nowhere."""
    span, left = reached - first, until - reached
    if span.total_seconds() <= 0 or left / span < MIN_PAGES_LEFT:
        return None
    cut = (reached + left / 2).replace(microsecond=0)
    return cut if reached + MIN_WINDOW <= cut <= until - MIN_WINDOW else None
