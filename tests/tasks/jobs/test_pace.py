"""When jobs are looked at again."""

import pytest

from tasks.jobs.pace import pause


def sized(*seconds, size=9):
    """Jobs of one size that have ended."""
    return [(each, size) for each in seconds]


def test_a_small_job_is_looked_at_soon_though_the_large_ones_before_it_took_long():
    large = sized(*[28.0] * 20, size=10_000)

    assert pause([(0, 2)], large, first=1, most=60) == 1
    assert pause([(0, 10_000)], large, first=1, most=60) == 28
    assert pause([(0, 10_000), (0, 2)], large, first=1, most=60) == 1


def test_what_small_jobs_usually_take_is_known_among_large_ones():
    took = sized(28.0, 29.0, 30.0, size=10_000) + sized(3.0, 4.0, 5.0, size=1)

    assert pause([(0, 2)], took, first=1, most=60) == 4


def test_the_first_look_is_soon():
    assert pause([(0, 9)], [], first=1, most=60) == 1


def test_looks_become_rarer_the_longer_a_job_takes():
    pauses = [pause([(age, 9)], [], first=1, most=60) for age in (3, 30, 90)]

    assert pauses == [1, 10, 30]


def test_no_pause_is_longer_than_the_longest():
    assert pause([(86_000, 9)], [], first=1, most=60) == 60


def test_a_look_comes_when_such_jobs_usually_end():
    assert pause([(10, 9)], sized(30, 31, 200), first=1, most=60) == 21


def test_two_durations_make_no_habit():
    assert pause([(12, 9)], sized(30, 31), first=1, most=60) == 4


def test_the_job_that_ends_first_sets_the_pace():
    assert pause([(0, 9), (25, 9)], sized(30, 30, 30), first=1, most=60) == 5


@pytest.mark.parametrize("requests", [1, 2, 16])
def test_a_look_that_costs_more_requests_comes_less_often(requests):
    assert pause([(0, 9)] * 100 * requests, [], first=1, most=60, requests=requests) == requests


def watching(jobs, seconds):
    """How many requests it costs to watch so many jobs that begin together and end after so many seconds."""
    pages, now, count = -(-jobs // 100), 0.0, 0
    while now < seconds:
        now += pause([(now, 9)] * jobs, [], first=1, most=60, requests=pages)
        count += pages
    return count + pages + 1  # and the list of the complete ones


@pytest.mark.parametrize("seconds", [30, 60, 600])
def test_watching_200_jobs_costs_a_twentieth_of_one_poll_per_job_in_five_seconds(seconds):
    assert watching(200, seconds) <= 200 * seconds / 5 / 20
