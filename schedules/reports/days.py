"""Which days of a report a night reads, when Klaviyo takes two requests a minute and 225 a day. Pure.

A request is about one time frame and up to a page of messages, whatever their number: so a day is a frame. The figures
of a day still change, as messages are opened and bought after, but less and less: a day is read each night for a week,
then when it is two, three and about four weeks old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

#: Days that are read, and their ages in days at which they are read again.
DAYS = 30
AGES = (*range(1, 8), 14, 21, DAYS)

#: Requests of a day's that are left to others.
FREE = 25


def due(today: date, read_on: Mapping[date, date]) -> list[date]:
    """The days to read, the newest first; ``read_on`` is when each was last read whole."""
    days = (today - timedelta(age) for age in range(1, DAYS + 1))
    return [day for day in days if _is_due((today - day).days, read_on[day] - day if day in read_on else None)]


def _is_due(age: int, read_at: timedelta | None) -> bool:
    return read_at is None or any(read_at.days < each <= age for each in AGES)


def affordable(days: Iterable[date], pages: Mapping[date, int], left: int) -> tuple[dict[date, int], list[date]]:
    """What fits into the requests that are left of the day, with the requests of each; and the days that wait.

    ``pages`` are what days took the last time. A day that was never read is believed to take as many as the fullest.
    """
    unknown = max(pages.values(), default=1)
    fits: dict[date, int] = {}
    waits: list[date] = []
    for day in days:
        needed = pages.get(day, unknown)
        # A newer day that does not fit is not overtaken by an older one that would.
        if not waits and sum(fits.values()) + needed <= left - FREE:
            fits[day] = needed
        else:
            waits.append(day)
    return fits, waits
