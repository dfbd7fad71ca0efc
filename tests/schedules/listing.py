"""One of Klaviyo's lists, as an estimate requests it: pages of times in order, by filter, sort and cursor."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime

NOW = 1_796_000_000
DAY = 86_400


class Listing:
    """Rows by their Unix times in whole seconds, sorted; it counts its requests."""

    def __init__(self, times, field):
        self.times = sorted(int(time) for time in times)
        self.field = field
        self.asked = []

    def __call__(self, action, params):
        self.asked.append(params)
        low, high = 0, len(self.times)
        for field, operator, value in getattr(params.get("filter"), "conditions", ()):
            if field == self.field:
                at = datetime.fromisoformat(value).timestamp()
                if operator == "greater-or-equal":
                    low = bisect_left(self.times, at)
                elif operator == "greater-than":
                    low = bisect_right(self.times, at)
                else:
                    high = bisect_left(self.times, at)
        rows = range(low, high)
        if params.get("sort", "").startswith("-"):
            rows = rows[::-1]
        begin = int(params.get("page_cursor", 0))
        end = begin + params.get("page_size", 100)
        following = f"https://klaviyo.example/?page%5Bcursor%5D={end}" if end < len(rows) else None
        return {"data": [self._row(row) for row in rows[begin:end]], "links": {"next": following}}

    def _row(self, row):
        at = datetime.fromtimestamp(self.times[row], UTC)
        return {"type": "x", "id": str(row), "attributes": {self.field: at.isoformat()}}


def spread(kind, count, days, seed):
    """Return the times of this many rows over the days before now."""
    rng, span = random.Random(seed), days * DAY

    def daily():
        while True:
            at = rng.random() * span
            if rng.random() < 0.6 + 0.4 * math.sin(at / DAY * 2 * math.pi):
                return at

    draw = {
        "even": lambda: rng.random() * span,
        "growing": lambda: span * math.sqrt(rng.random()),
        "doubling each quarter": lambda: span * math.log1p(rng.random() * 15) / math.log(16),
        "an import on the first day": lambda: rng.random() * (3_600 if rng.random() < 0.6 else span),
        "a burst in the last hours": lambda: span - rng.random() * (6 * 3_600 if rng.random() < 0.5 else span),
        "by day and by night": daily,
    }[kind]
    return [NOW - span + draw() for _ in range(count)]
