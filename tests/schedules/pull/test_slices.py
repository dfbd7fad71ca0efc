"""Where windows are cut, and how many are read at the same time."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules.pull.slices import midpoint, parallel_windows

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours):
    return START + timedelta(hours=hours)


@pytest.mark.parametrize(("steady", "seconds", "windows"), [(750, 0.15, 3), (750, 1, 14), (3500, 1, 32), (15, 0.3, 2)])
def test_as_many_windows_are_read_at_once_as_keep_the_budget_busy(steady, seconds, windows):
    assert parallel_windows(steady, seconds) == windows
    assert windows == 32 or windows / seconds >= steady / 60


def test_what_is_left_of_a_window_is_cut_in_its_middle():
    assert midpoint(at(0), at(1), at(101)) == at(51)


def test_a_window_of_a_few_more_pages_is_not_worth_a_cut():
    assert midpoint(at(0), at(1), at(16)) is None


def test_a_page_of_one_second_shows_no_density():
    assert midpoint(at(1), at(1), at(100)) is None


def test_a_window_that_is_over_is_not_cut():
    assert midpoint(at(0), at(5), at(5)) is None
    assert midpoint(at(0), at(5), at(4)) is None


def test_a_window_of_seconds_is_not_cut_at_its_ends():
    first = START
    assert midpoint(first, first + timedelta(milliseconds=10), first + timedelta(milliseconds=900)) is None


def test_a_window_of_two_seconds_is_not_cut_for_ever():
    reached = START + timedelta(milliseconds=10)
    assert midpoint(START, reached, reached + timedelta(seconds=3)) is None
    assert midpoint(START, reached, START + timedelta(seconds=7)) == START + timedelta(seconds=3)
