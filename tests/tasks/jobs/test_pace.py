"""When jobs are looked at again."""

import pytest

from tasks.jobs.pace import poll_delay


def sized(*seconds, size=9):
    """Jobs of one size that have ended."""
    return [(each, size) for each in seconds]


def test_a_small_job_is_looked_at_soon_though_the_large_ones_before_it_took_long():
    large = sized(*[28.0] * 20, size=10_000)

    assert poll_delay([(0, 2)], large, min_poll_s=1, max_poll_s=60) == 1
    assert poll_delay([(0, 10_000)], large, min_poll_s=1, max_poll_s=60) == 28
    assert poll_delay([(0, 10_000), (0, 2)], large, min_poll_s=1, max_poll_s=60) == 1


def test_what_small_jobs_usually_take_is_known_among_large_ones():
    took = sized(28.0, 29.0, 30.0, size=10_000) + sized(3.0, 4.0, 5.0, size=1)

    assert poll_delay([(0, 2)], took, min_poll_s=1, max_poll_s=60) == 4


def test_the_first_look_is_soon():
    assert poll_delay([(0, 9)], [], min_poll_s=1, max_poll_s=60) == 1


def test_looks_become_rarer_the_longer_a_job_takes():
    pauses = [poll_delay([(age, 9)], [], min_poll_s=1, max_poll_s=60) for age in (3, 30, 90)]

    assert pauses == [1, 10, 30]


def test_no_pause_is_longer_than_the_longest():
    assert poll_delay([(86_000, 9)], [], min_poll_s=1, max_poll_s=60) == 60


def test_a_look_comes_when_such_jobs_usually_end():
    assert poll_delay([(10, 9)], sized(30, 31, 200), min_poll_s=1, max_poll_s=60) == 21


def test_two_durations_make_no_habit():
    assert poll_delay([(12, 9)], sized(30, 31), min_poll_s=1, max_poll_s=60) == 4


def test_the_job_that_ends_first_sets_the_pace():
    assert poll_delay([(0, 9), (25, 9)], sized(30, 30, 30), min_poll_s=1, max_poll_s=60) == 5


@pytest.mark.parametrize("requests", [1, 2, 16])
def test_a_look_that_costs_more_requests_comes_less_often(requests):
    assert poll_delay([(0, 9)] * 100 * requests, [], min_poll_s=1, max_poll_s=60, requests=requests) == requests


def watching(jobs, seconds):
    """How many requests it costs to watch so many jobs that begin together and end after so many seconds."""
    pages, now, count = -(-jobs // 100), 0.0, 0
    while now < seconds:
        now += poll_delay([(now, 9)] * jobs, [], min_poll_s=1, max_poll_s=60, requests=pages)
        count += pages
    return count + pages + 1  # and the list of the complete ones


@pytest.mark.parametrize("seconds", [30, 60, 600])
def test_watching_200_jobs_costs_a_twentieth_of_one_poll_per_job_in_five_seconds(seconds):
    assert watching(200, seconds) <= 200 * seconds / 5 / 20
