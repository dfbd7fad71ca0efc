"""Which days of a report one night reads, as Klaviyo takes two requests a minute and 225 a day. Pure.

A request covers one time frame, however many messages it has, so each frame is one day. The results of a day still
change, as messages are opened and lead to purchases, but less and less: a day is read every night for a week, then when
it is two, three and about four weeks old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

#: How many days are read, and the ages in days at which a day is read again.
HISTORY_DAYS = 30
REREAD_AGES_DAYS = (*range(1, 8), 14, 21, HISTORY_DAYS)

#: How many of a day's requests are left to others.
RESERVED_REQUESTS = 25


def due_days(today: date, read_on: Mapping[date, date]) -> list[date]:
    """Return the days to read, the newest first; ``read_on`` is when each was last read whole."""
    days = (today - timedelta(age) for age in range(1, HISTORY_DAYS + 1))
    return [day for day in days if _is_due((today - day).days, read_on[day] - day if day in read_on else None)]


def _is_due(age: int, read_at: timedelta | None) -> bool:
    return read_at is None or any(read_at.days < each <= age for each in REREAD_AGES_DAYS)


def fit_days(days: Iterable[date], pages: Mapping[date, int], left: int) -> tuple[dict[date, int], list[date]]:
    """Return the days that fit into the requests that are ``left`` today, with the requests of each, and the others.

    ``pages``: how many each day took the last time. A day that was never read counts like the largest one.
    """
    unknown = max(pages.values(), default=1)
    fits: dict[date, int] = {}
    waits: list[date] = []
    for day in days:
        needed = pages.get(day, unknown)
        # A newer day that does not fit is not overtaken by an older one that would.
        if not waits and sum(fits.values()) + needed <= left - RESERVED_REQUESTS:
            fits[day] = needed
        else:
            waits.append(day)
    return fits, waits
