"""Moments that a crontab names, in a time zone of its own: Celery knows one zone for all entries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab


class Timetable(Protocol):
    """Whatever names moments."""

    def after(self, moment: datetime) -> datetime:
        """The first moment that it names after this one."""


class Crontab(crontab):
    """Five fields: minute, hour, day of month, month, day of week.

    A time that is skipped when clocks are put forward comes as much later; one that comes twice when they are put back
    counts once.

    Raises:
        ValueError: the text is no crontab, or names no day that there is.

    """

    def __init__(self, text: str, zone: str = "UTC") -> None:
        fields = text.split()
        self.text, self.zone = " ".join(fields), zone
        if len(fields) != 5:
            raise ValueError(f"{text!r} is no crontab: it has {len(fields)} of five fields")
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        try:
            super().__init__(minute, hour, day_of_week, day_of_month, month_of_year)
            self.after(datetime.now(UTC))
        except (ValueError, ParseException, RuntimeError) as error:
            raise ValueError(f"{text!r} is no crontab: {str(error).rstrip('.')}") from None

    @property
    def tz(self) -> ZoneInfo:  # type: ignore[override]
        """The zone in which the fields are meant."""
        return ZoneInfo(self.zone)

    def __repr__(self) -> str:
        return f"<crontab: {self.text} {self.zone}>"

    def after(self, moment: datetime) -> datetime:
        """The first moment that it names after this one, in UTC."""
        start, delta, _ = self.remaining_delta(moment)
        following: datetime = start + delta
        return following.astimezone(UTC)


def latest_due(timetable: Timetable, last: datetime, now: datetime) -> datetime | None:
    """The latest moment after ``last`` and up to ``now``: of all runs that were missed, the one to make up for."""
    due = None
    following = timetable.after(last)
    while following <= now:
        due, following = following, timetable.after(following)
    return due
