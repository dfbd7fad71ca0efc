"""How many workers the budgets can feed."""

from __future__ import annotations

import pytest

from cli.metrics.scaling import workers_wanted
from worker.governor import BucketLook, Look, Pause

SLOTS = 32
DAY = 86_400_000


def line(waiting, *windows, name="a:get_lists", foreign=0, blocked=0.0, later=0, bucket=None):
    told = BucketLook(bucket or name, windows, 0, foreign, blocked)
    return Look(name, "klaviyo.l", 0, waiting, later, None, 0.0, (told,))


def spent(limit):
    return (limit, limit, 60_000)


def wanted(*looks, pauses=(), ready=0):
    return workers_wanted(looks, pauses, ready, SLOTS)


@pytest.mark.parametrize("limit", [15, 60, 150, 750])
def test_a_hundred_thousand_tasks_behind_a_spent_minute_ask_for_one_worker(limit):
    assert wanted(line(100_000, spent(limit))) == 1


def test_a_day_that_is_spent_feeds_no_worker():
    assert wanted(line(100_000, (0, 15, 60_000), (150, 150, DAY))) == 0


@pytest.mark.parametrize("held", [{"blocked": 60.0}, {"foreign": 750}])
def test_a_bucket_that_is_blocked_or_used_up_by_others_feeds_none(held):
    assert wanted(line(100_000, (0, 750, 60_000), **held)) == 0


@pytest.mark.parametrize("what", ["account:a", "action:get_lists", "action:a:get_lists", "tier:klaviyo.l"])
def test_what_is_paused_feeds_none(what):
    looks = [line(100_000, spent(750))]

    assert wanted(*looks, pauses=[Pause(what, "somebody", "why", 0.0, None)]) == 0
    assert wanted(*looks, pauses=[Pause("account:b", "somebody", "why", 0.0, None)]) == 1


def test_what_waits_for_its_time_feeds_none():
    assert wanted(line(0, spent(750), later=100_000)) == 0


def test_many_accounts_with_a_backlog_ask_for_more_workers_and_little_work_for_few():
    def shops(waiting):
        return [line(waiting, (0, 75, 1_000), spent(750), name=f"shop-{n}:create_profile") for n in range(1_000)]

    assert wanted(*shops(100_000)) == 196  # 12,500 requests a second, half a second each, 32 at once
    assert wanted(*shops(1)) == 1


def test_lines_that_share_a_bucket_share_what_it_feeds():
    lines = [line(100_000, (0, 7_500, 60_000), name=f"a:shared+{n}", bucket="a:shared") for n in range(50)]

    assert wanted(*lines) == wanted(lines[0]) == 2


def test_steps_that_need_no_budget_ask_for_workers_too():
    assert wanted(ready=10_000) == 3
    assert wanted() == 0
