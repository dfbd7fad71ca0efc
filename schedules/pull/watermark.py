"""Where a run begins: some overlap before its watermark; and when the watermark may move. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from worker.api.filters import F, Filter

#: How long before now a run ends, and where it puts the watermark: Klaviyo's clock may be behind ours, and it refuses
#: times in the future.
CLOCK_MARGIN = timedelta(seconds=2)

#: How much earlier a window starts if its filter excludes the bound itself: Klaviyo cuts times to seconds.
ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class TimeField:
    """A field by which a stream is read in windows of time.

    ``look_back``: how far before its watermark a run begins, because records are backdated, lists show changes late,
    and clocks differ.
    """

    name: str
    lower: Literal["greater-or-equal", "greater-than"] = "greater-or-equal"
    upper: Literal["less-than"] | None = "less-than"
    look_back: timedelta = timedelta(minutes=5)

    def between(self, since: datetime | None, until: datetime | None) -> Filter | None:
        """Return the filter for records from ``since`` on and before ``until``; None if neither is given.

        For a field without "or equal" the window begins a second early: what is read twice is written once.
        """
        bounds: list[Filter] = []
        if since and self.lower == "greater-or-equal":
            bounds.append(F(self.name).greater_or_equal(since))
        elif since:
            bounds.append(F(self.name).greater_than(since - ONE_SECOND))
        if until and self.upper:
            bounds.append(F(self.name).less_than(until))
        return Filter(*(condition for bound in bounds for condition in bound.conditions)) if bounds else None


def run_start(by: TimeField, watermark: datetime | None, since: datetime | None = None) -> datetime | None:
    """Return the time from which an incremental run reads: ``since`` if it was asked for; None: from the beginning."""
    if since is not None or watermark is None:
        return since
    return watermark - by.look_back


def may_advance(start: datetime | None, watermark: datetime | None) -> bool:
    """Return True if a run that began at ``start`` may move the watermark.

    A run that began later than the watermark leaves a gap, which the next run has to read.
    """
    return start is None or (watermark is not None and start <= watermark)
