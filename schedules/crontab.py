"""Crontabs with a time zone each; Celery has one zone for all entries.

When clocks change, Celery's own crontab goes back in time or skips an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab, crontab_parser

#: A clock change further away than this cannot make a moment come late or twice: the largest changes are of one day.
MAX_CLOCK_CHANGE = timedelta(hours=25)


class Timetable(Protocol):
    """Anything that gives due times."""

    def after(self, moment: datetime) -> datetime:
        """Return the first due time after this moment."""


class Crontab(crontab):
    """Five fields: minute, hour, day of month, month, day of week; 0 and 7 are Sunday.

    As with cron, and unlike Celery, it is due on days of either kind if a day of the month and one of the week are
    named, that is, if neither field begins with ``*``.

    A time that clocks skip when they go forward comes later by the skipped span. A time that comes twice when they go
    back counts once for an entry that runs once a day, so that it runs once on each of its days; for an entry that runs
    several times a day, both count.

    Raises:
        ValueError: the text is not a crontab, or names a day that never comes.

    """

    minute: set[int]
    hour: set[int]
    day_of_week: set[int]
    day_of_month: set[int]
    month_of_year: set[int]

    def __init__(self, text: str, zone: str = "UTC") -> None:
        fields = text.split()
        self.text, self.zone = " ".join(fields), zone
        if len(fields) != 5:
            raise ValueError(f"{text!r} is not a crontab: it has {len(fields)} fields instead of five")
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        self._either = not day_of_month.startswith("*") and not day_of_week.startswith("*")
        try:
            super().__init__(minute, hour, _weekdays(day_of_week), day_of_month, month_of_year)
        except (ValueError, ParseException) as error:
            raise ValueError(f"{text!r} is not a crontab: {str(error).rstrip('.')}") from None

    @property
    def tz(self) -> ZoneInfo:  # type: ignore[override]
        """Return the time zone of the fields."""
        return ZoneInfo(self.zone)

    def __repr__(self) -> str:
        return f"<crontab: {self.text} {self.zone}>"

    def after(self, moment: datetime) -> datetime:
        """Return the first due time after this moment, in UTC."""
        offsets = [_offset(moment + near, self.tz) for near in (-MAX_CLOCK_CHANGE, timedelta(), MAX_CLOCK_CHANGE)]
        change, local = max(offsets) - min(offsets), _wall(moment, self.tz)
        first = None
        for wall in self._walls(local - change):
            # Later wall times come no earlier, except for those that clocks show again or have skipped.
            if first and wall > local + change and wall >= _wall(first, self.tz):
                return first
            first = min((each for each in (first, *self._moments(wall)) if each and each > moment), default=None)
        raise AssertionError("a crontab has no last day")

    def remaining_delta(
        self, last_run_at: datetime, tz: str | tzinfo | None = None, ffwd: type = timedelta
    ) -> tuple[datetime, Any, datetime]:
        """Return its last run, the time from that to the next one, and now: by these Celery sees whether it is due."""
        last = self.maybe_make_aware(last_run_at).astimezone(UTC)
        return last, self.after(last) - last, self.maybe_make_aware(self.now()).astimezone(UTC)

    def _walls(self, start: datetime) -> Iterator[datetime]:
        """Return the wall times of its due times, from ``start`` on."""
        hours, minutes = sorted(self.hour), sorted(self.minute)
        for day in self._days(start.date()):
            for hour in hours:
                if day > start.date() or hour >= start.hour:
                    walls = (datetime.combine(day, time(hour, minute)) for minute in minutes)
                    yield from (wall for wall in walls if wall >= start)

    def _days(self, start: date) -> Iterator[date]:
        """Return the days on which it is due, from ``start`` on."""
        for number in count(start.toordinal()):
            day = date.fromordinal(number)
            fits = day.day in self.day_of_month, day.isoweekday() % 7 in self.day_of_week
            if day.month in self.month_of_year and (any(fits) if self._either else all(fits)):
                yield day

    def _moments(self, wall: datetime) -> list[datetime]:
        """Return when clocks show this time, in UTC; if they skip it, later by as much as they skip."""
        earlier, later = (wall.replace(tzinfo=self.tz, fold=fold).astimezone(UTC) for fold in (0, 1))
        several = len(self.hour) * len(self.minute) > 1
        return [earlier, later] if several and earlier < later else [earlier]


def latest_due(timetable: Timetable, last: datetime, now: datetime) -> datetime | None:
    """Return the latest due time after ``last`` and up to ``now``: of all missed runs, only that one is made up for."""
    due = None
    following = timetable.after(last)
    while following <= now:
        due, following = following, timetable.after(following)
    return due


def _weekdays(field: str) -> str:
    """Rewrite a day-of-week field without 7, which Celery does not know."""
    days: set[int] = set()
    for part in field.split(","):
        # At the start of a range 7 means 0, at its end the day after 6.
        given = re.sub(r"^7(?!\d|-7)", "0", part)
        try:
            days |= crontab_parser(7).parse(given)
        except ValueError:
            days |= {day % 7 for day in crontab_parser(8).parse(given)}
    return ",".join(map(str, sorted(days)))


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the wall time at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
