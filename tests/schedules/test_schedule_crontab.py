"""Moments that crontabs name, in their zones and over clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.crontab import Crontab, latest_due

BERLIN = "Europe/Berlin"


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(crontab, start, end):
    """All moments that it names in a span, in its own zone."""
    found, moment = [], crontab.after(utc(start))
    while moment <= utc(end):
        found.append(moment.astimezone(ZoneInfo(crontab.zone)).strftime("%d %H:%M"))
        moment = crontab.after(moment)
    return found


@pytest.mark.parametrize(
    ("zone", "due"),
    [("UTC", "2026-11-25 01:07"), (BERLIN, "2026-11-25 00:07"), ("America/New_York", "2026-11-24 06:07")],
)
def test_a_crontab_is_meant_in_its_own_zone(zone, due):
    assert Crontab("7 1 * * *", zone).after(utc("2026-11-24 03:00")) == utc(due)


def test_the_moment_itself_is_not_after_itself():
    assert Crontab("7 1 * * *").after(utc("2026-11-24 01:07")) == utc("2026-11-25 01:07")


def test_a_night_without_the_hour_runs_once_and_an_hour_later_by_the_clock():
    assert dues(Crontab("30 2 * * *", BERLIN), "2026-03-27 12:00", "2026-03-30 12:00") == [
        "28 02:30",
        "29 03:30",
        "30 02:30",
    ]


def test_a_night_with_the_hour_twice_runs_once():
    assert dues(Crontab("30 2 * * *", BERLIN), "2026-10-23 12:00", "2026-10-26 12:00") == [
        "24 02:30",
        "25 02:30",
        "26 02:30",
    ]


@pytest.mark.parametrize("text", ["* * * * *", "*/7 2 * * *", "30 2 29 3 *", "0 0 1-7 * sun"])
@pytest.mark.parametrize("start", ["2026-03-28 23:00", "2026-10-24 23:00"])
def test_moments_only_ever_go_forward_over_a_clock_change(text, start):
    crontab, moment = Crontab(text, BERLIN), utc(start)
    for _ in range(300):
        following = crontab.after(moment)
        assert following > moment
        moment = following


def test_of_all_missed_moments_the_latest_is_due():
    assert latest_due(Crontab("7 1 * * *"), utc("2026-11-20 01:07"), utc("2026-11-24 09:00")) == utc("2026-11-24 01:07")


def test_nothing_is_due_before_the_next_moment():
    crontab, due = Crontab("7 1 * * *"), utc("2026-11-25 01:07")

    assert latest_due(crontab, utc("2026-11-24 01:07"), due - timedelta(microseconds=1)) is None
    assert latest_due(crontab, utc("2026-11-24 01:07"), due) == due


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("61 2 * * *", "61 > 59"),
        ("5 3", "it has 2 of five fields"),
        ("5 3 * * * *", "it has 6 of five fields"),
        ("0 0 31 2 *", "never occurs"),
        ("*/0 * * * *", "zero"),
        ("a b c d e", "Invalid"),
        ("-1 * * * *", "negative"),
    ],
)
def test_what_is_no_crontab_is_told(text, said):
    with pytest.raises(ValueError, match=f"is no crontab: .*{said}"):
        Crontab(text)
