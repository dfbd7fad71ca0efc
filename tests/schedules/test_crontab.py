"""The due times of crontabs, in their zones and over clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.crontab import Crontab, latest_due
from tests.cases import for_each
from tests.soak import sized

BERLIN = "Europe/Berlin"


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(crontab, start, end):
    """Return all its due times within a span, in its own zone."""
    found, moment = [], crontab.after(utc(start))
    while moment <= utc(end):
        found.append(moment.astimezone(ZoneInfo(crontab.zone)).strftime("%d %H:%M"))
        moment = crontab.after(moment)
    return found


@pytest.mark.parametrize(
    ("zone", "due"),
    [("UTC", "2026-11-25 01:07"), (BERLIN, "2026-11-25 00:07"), ("America/New_York", "2026-11-24 06:07")],
)
def test_a_crontab_is_read_in_its_own_zone(zone, due):
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


#: Days on which clocks change: by an hour at night, by half an hour, at midnight, to the day before, by a whole day,
#: for good, and for a month of fasting.
CHANGES = [
    (BERLIN, "2026-03-29"), (BERLIN, "2026-10-25"), ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-10-04"), ("Australia/Lord_Howe", "2026-04-05"),
    ("America/Havana", "2026-03-08"), ("America/Havana", "2026-11-01"), ("Africa/Cairo", "2026-04-24"),
    ("Africa/Cairo", "2026-10-30"), ("Asia/Beirut", "2026-03-29"), ("Asia/Beirut", "2026-10-25"),
    ("America/Santiago", "2026-09-06"), ("America/Santiago", "2026-04-05"), ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"), ("America/St_Johns", "2006-10-29"), ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Kwajalein", "1993-08-21"), ("Europe/Istanbul", "2016-03-27"), ("Europe/Istanbul", "2015-11-08"),
    ("Africa/Casablanca", "2026-02-15"), ("Africa/Casablanca", "2026-03-22"), ("Asia/Pyongyang", "2018-05-04"),
    ("America/Caracas", "2016-05-01"), ("Antarctica/Troll", "2026-03-29"), ("Africa/Monrovia", "1972-01-07"),
]  # fmt: skip


def spans(crontab, start, end):
    """Return the minutes between its due times within a span."""
    found, moment = [], crontab.after(utc(start) - timedelta(microseconds=1))
    while moment <= utc(end):
        found.append(moment)
        moment = crontab.after(moment)
    return [(later - earlier) // timedelta(minutes=1) for earlier, later in pairwise(found)]


@pytest.mark.parametrize(("text", "minutes"), [("0 * * * *", 60), ("5 * * * *", 60), ("*/15 * * * *", 15)])
@pytest.mark.parametrize("night", ["2026-03-28 20:00/2026-03-29 10:00", "2026-10-24 20:00/2026-10-25 10:00"])
def test_every_hour_and_every_quarter_runs_once_by_real_time_where_clocks_change_by_an_hour(text, minutes, night):
    assert set(spans(Crontab(text, BERLIN), *night.split("/"))) == {minutes}


def test_inside_the_repeated_hour_a_crontab_does_not_go_back():
    assert Crontab("*/15 * * * *", BERLIN).after(utc("2026-10-25 01:05")) == utc("2026-10-25 01:15")


@pytest.mark.parametrize(
    ("day", "due"),
    [
        # Back by half an hour at 02:00, forward by half an hour at 02:00.
        ("2026-04-04 13:59/2026-04-04 16:15", ["05 01:00", "05 01:30", "05 01:30", "05 02:00", "05 02:30"]),
        ("2026-10-03 14:00/2026-10-03 16:35", ["04 01:00", "04 01:30", "04 02:30", "04 03:00", "04 03:30"]),
    ],
)
def test_every_half_hour_goes_on_where_clocks_change_by_half_an_hour(day, due):
    start, end = day.split("/")

    assert dues(Crontab("*/30 * * * *", "Australia/Lord_Howe"), start, end) == due


@for_each(
    (zone, day, text)
    for zone, day in CHANGES
    for text in ("30 0 * * *", "0 0 * * *", "30 1 * * *", "15 2 * * *", "30 23 * * *")
    if zone != "Asia/Pyongyang"
)
def test_what_runs_daily_runs_once_on_each_day_that_there_is(zone, day, text):
    start, end = utc(f"{day} 00:00") - timedelta(days=4), utc(f"{day} 00:00") + timedelta(days=4)
    crontab, found = Crontab(text, zone), []
    moment = crontab.after(start)
    while moment <= end:
        found.append(moment.astimezone(ZoneInfo(zone)).date())
        moment = crontab.after(moment)
    days = {(start + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).date() for hour in range(8 * 24)}

    assert found == sorted(set(found))
    assert set(sorted(days)[1:-1]) <= set(found)


def test_what_is_due_in_the_last_half_hour_of_a_day_that_ends_early_runs_at_midnight():
    """On 4 May 2018 clocks in Pyongyang went from 23:30 to 24:00."""
    assert dues(Crontab("30 23 * * *", "Asia/Pyongyang"), "2018-05-03 00:00", "2018-05-05 20:00") == [
        "03 23:30",
        "05 00:00",
        "05 23:30",
    ]


@pytest.mark.parametrize("text", ["7 1 * * fri", "7 1 30 12 *"])
def test_what_is_due_on_a_day_that_a_zone_leaves_out_runs_on_the_next(text):
    assert dues(Crontab(text, "Pacific/Apia"), "2011-12-28 00:00", "2012-01-02 00:00") == ["31 01:07"]


TEXTS = [
    "*/10 * * * *", "*/15 * * * *", "*/20 * * * *", "0 * * * *", "5 * * * *", "30 * * * *", "0 */2 * * *",
    "*/7 2 * * *", "30 2,14 * * *", "0,30 0-3 * * *", "0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *",
    "30 2 * * *", "59 23 * * *", "45 23 * * 7", "0 0 1-7 * sun", "30 1 * * mon-fri", "0 3 29 3 *",
]  # fmt: skip


def named(text, zone, start, end):
    """Return all due times of a crontab within a span, by trying every minute that clocks may show."""
    crontab, found = Crontab(text, zone), set()
    several = len(crontab.hour) * len(crontab.minute) > 1
    wall = start.replace(tzinfo=None, second=0) - timedelta(hours=40)
    while wall < end.replace(tzinfo=None) + timedelta(hours=15):
        if (
            wall.minute in crontab.minute
            and wall.hour in crontab.hour
            and wall.day in crontab.day_of_month
            and wall.month in crontab.month_of_year
            and wall.isoweekday() % 7 in crontab.day_of_week
        ):
            shown = [wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
            found |= {shown[0]} | ({max(shown)} if several else set())
        wall += timedelta(minutes=1)
    return sorted(moment for moment in found if start < moment <= end)


@pytest.mark.soak
@settings(max_examples=sized(40, 1_000))
@given(st.sampled_from(CHANGES), st.sampled_from(TEXTS), st.integers(-86_400, 86_400))
def test_after_any_moment_comes_the_next_due_time_never_a_past_one(change, text, seconds):
    zone, day = change
    start = utc(f"{day} 00:00") + timedelta(seconds=seconds)
    crontab, moment, found = Crontab(text, zone), start, []
    while (moment := crontab.after(moment)) <= start + timedelta(days=1):
        found.append(moment)

    assert moment > start
    assert found == named(text, zone, start, start + timedelta(days=1))


@pytest.mark.soak
@settings(max_examples=sized(40, 1_000))
@given(st.sampled_from(CHANGES), st.sampled_from(TEXTS[:16]), st.integers(-2 * 86_400, 2 * 86_400))
def test_between_two_runs_there_is_no_more_than_the_entry_says_and_what_clocks_are_put_back(change, text, seconds):
    zone, day = change
    start = utc(f"{day} 00:00") + timedelta(seconds=seconds)
    offsets = [(start + timedelta(days=days)).astimezone(ZoneInfo(zone)).utcoffset() for days in range(-3, 4)]
    back = sum((max(before - after, timedelta()) for before, after in pairwise(offsets)), timedelta())
    usual = spans(Crontab(text), "2026-06-01 00:00", "2026-06-04 00:00")
    one = Crontab(text, zone).after(start)

    following = Crontab(text, zone).after(one)

    assert timedelta() < following - one <= timedelta(minutes=max(usual)) + back


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("7", {0}), ("0", {0}), ("sun", {0}), ("5-7", {5, 6, 0}), ("7-2", {0, 1, 2}), ("7-7", {0}), ("1,7", {1, 0}),
        ("*/2", {0, 2, 4, 6}), ("1-7/2", {1, 3, 5, 0}), ("7-4/2", {0, 2, 4}), ("fri-mon", {5, 6, 0, 1}),
        ("fri-tue/2", {5, 0, 2}), ("sat-7", {6, 0}), ("*", set(range(7))),
    ],
)  # fmt: skip
def test_seven_is_sunday(field, days):
    assert Crontab(f"7 1 * * {field}").day_of_week == days


@pytest.mark.parametrize(
    ("days", "runs"),
    [
        ("1 * 1", 12 + 52 - 3),  # three Mondays of 2027 are the first of a month
        ("1 * *", 12),
        ("* * 1", 52),
        ("*/2 * 1", 27),
        ("1-31 * 1", 365),
    ],
)
def test_a_day_of_the_month_and_one_of_the_week_are_due_each_as_with_cron(days, runs):
    crontab, moment, found = Crontab(f"0 3 {days}"), utc("2027-01-01 00:00"), 0
    while (moment := crontab.after(moment)).year == 2027:
        found += 1

    assert found == runs


@pytest.mark.parametrize("now", ["2026-10-25 01:05", "2026-10-25 00:05", "2026-03-29 00:59", "2026-06-01 12:00"])
def test_celery_gets_the_same_times_as_we_do(now):
    with Celery("test", set_as_current=False) as app:
        app.now = lambda: utc(now)
        crontab = Crontab("*/15 * * * *", BERLIN)
        crontab.app = app
        last = utc(now) - timedelta(minutes=2)

        due, seconds = crontab.is_due(last)

    assert due == (crontab.after(last) <= utc(now))
    assert utc(now) + timedelta(seconds=seconds) == crontab.after(utc(now))


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
        ("5 3", "it has 2 fields instead of five"),
        ("5 3 * * * *", "it has 6 fields instead of five"),
        ("0 0 31 2 *", "never occurs"),
        ("*/0 * * * *", "zero"),
        ("a b c d e", "Invalid"),
        ("5 3 * * 8", "8 > 7"),
        ("5 3 * * 77", "77 > 7"),
        ("5 3 * * mon,", "empty"),
        ("-1 * * * *", "negative"),
    ],
)
def test_what_is_no_crontab_is_refused(text, said):
    with pytest.raises(ValueError, match=f"is not a crontab: .*{said}"):
        Crontab(text)
