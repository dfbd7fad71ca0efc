"""How long an import would take at the budget that is left."""

from __future__ import annotations

import pytest

from tasks.imports.estimate import seconds_at, seconds_for
from worker.governor import BucketLook, Look
from worker.tiers import MINUTE_MS, SECOND_MS, Window

ACTION = "bulk_import_profiles"
STEADY = Window(150, MINUTE_MS)


@pytest.mark.parametrize(
    ("count", "used", "seconds"), [(0, 0, 0), (150, 0, 0), (151, 0, 60), (150, 1, 60), (301, 0, 120)]
)
def test_requests_that_no_longer_fit_into_a_window_wait_for_the_next(count: int, used: int, seconds: float):
    assert seconds_for(count, [(used, STEADY)]) == seconds


def test_the_window_that_takes_longest_sets_the_pace():
    assert seconds_for(20, [(0, Window(10, SECOND_MS)), (0, Window(5, MINUTE_MS))]) == 180


def look(waiting: int = 0, blocked: float = 0.0) -> Look:
    bucket = BucketLook(f"default:{ACTION}", ((0, 10, SECOND_MS), (0, 150, MINUTE_MS)), 0, 0, blocked)
    return Look(f"default:{ACTION}", "klaviyo.m", 0, waiting, 0, None, 0.0, (bucket,))


def test_what_waits_already_goes_first():
    assert seconds_at("default", ACTION, 100, [look(waiting=100)]) == 60


def test_a_block_is_waited_for():
    assert seconds_at("default", ACTION, 1, [look(blocked=600.0)]) == 600


def test_an_account_of_which_nothing_was_sent_has_all_of_its_budget():
    assert seconds_at("eu", ACTION, 1, [look(waiting=1_000, blocked=600.0)]) == 0
