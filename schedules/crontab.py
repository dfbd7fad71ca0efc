"""Moments that a crontab names, in a time zone of its own: Celery knows one zone for all entries.

Where clocks change, Celery's own crontab goes back in time, or leaves an hour out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab, crontab_parser

#: No clock change is as far away as this and still makes a moment come late, or twice: the largest are of a day.
NEAR = timedelta(hours=25)


class Timetable(Protocol):
    """Whatever names moments."""

    def after(self, moment: datetime) -> datetime:
        """The first moment that it names after this one."""


class Crontab(crontab):
    """Five fields: minute, hour, day of month, month, day of week; 0 and 7 are Sunday.

    A time that clocks skip when they are put forward comes as much later. One that comes twice when they are put back
    counts once for an entry of one time a day, so that this runs once on each of its days; an entry of several times a
    day goes on with real time, and both count.

    Raises:
        ValueError: the text is no crontab, or names no day that there is.

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
            raise ValueError(f"{text!r} is no crontab: it has {len(fields)} of five fields")
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        try:
            super().__init__(minute, hour, _weekdays(day_of_week), day_of_month, month_of_year)
        except (ValueError, ParseException) as error:
            raise ValueError(f"{text!r} is no crontab: {str(error).rstrip('.')}") from None

    @property
    def tz(self) -> ZoneInfo:  # type: ignore[override]
        """The zone in which the fields are meant."""
        return ZoneInfo(self.zone)

    def __repr__(self) -> str:
        return f"<crontab: {self.text} {self.zone}>"

    def after(self, moment: datetime) -> datetime:
        """The first moment that it names after this one, in UTC."""
        offsets = [_offset(moment + near, self.tz) for near in (-NEAR, timedelta(), NEAR)]
        change, local = max(offsets) - min(offsets), _wall(moment, self.tz)
        first = None
        for wall in self._walls(local - change):
            # Further walls come no earlier, but for those that clocks show again or have skipped.
            if first and wall > local + change and wall >= _wall(first, self.tz):
                return first
            first = min((each for each in (first, *self._moments(wall)) if each and each > moment), default=None)
        raise AssertionError("every crontab names days without end")

    def remaining_delta(
        self, last_run_at: datetime, tz: str | tzinfo | None = None, ffwd: type = timedelta
    ) -> tuple[datetime, Any, datetime]:
        """What Celery tells by whether the entry is due: the last run, how long after it the next is, the present."""
        last = self.maybe_make_aware(last_run_at).astimezone(UTC)
        return last, self.after(last) - last, self.maybe_make_aware(self.now()).astimezone(UTC)

    def _walls(self, start: datetime) -> Iterator[datetime]:
        """What clocks show at its moments, from ``start`` on."""
        hours, minutes = sorted(self.hour), sorted(self.minute)
        for day in self._days(start.date()):
            for hour in hours:
                if day > start.date() or hour >= start.hour:
                    walls = (datetime.combine(day, time(hour, minute)) for minute in minutes)
                    yield from (wall for wall in walls if wall >= start)

    def _days(self, start: date) -> Iterator[date]:
        """The days that it names, from ``start`` on."""
        for number in count(start.toordinal()):
            day = date.fromordinal(number)
            if (
                day.month in self.month_of_year
                and day.day in self.day_of_month
                and day.isoweekday() % 7 in self.day_of_week
            ):
                yield day

    def _moments(self, wall: datetime) -> list[datetime]:
        """When clocks show this, in UTC; where they skip it, as much later."""
        earlier, later = (wall.replace(tzinfo=self.tz, fold=fold).astimezone(UTC) for fold in (0, 1))
        several = len(self.hour) * len(self.minute) > 1
        return [earlier, later] if several and earlier < later else [earlier]


def latest_due(timetable: Timetable, last: datetime, now: datetime) -> datetime | None:
    """The latest moment after ``last`` and up to ``now``: of all runs that were missed, the one to make up for."""
    due = None
    following = timetable.after(last)
    while following <= now:
        due, following = following, timetable.after(following)
    return due


def _weekdays(field: str) -> str:
    """The days of the week that a field names, without 7, which Celery does not know."""
    days: set[int] = set()
    for part in field.split(","):
        # At the beginning of a range it is 0, at the end the day after 6.
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
    """What clocks show at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
