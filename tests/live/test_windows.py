"""Klaviyo's windows through real workers: none is overrun, and none is left unused."""

from __future__ import annotations

import random

from tasks.lists import create_list
from tasks.metrics import get_metrics
from tasks.profiles import create_profile
from tasks.tags import get_tags
from tests.live.system import failures, stretched, until


def test_two_workers_use_every_second_to_the_full_and_overrun_none(two_workers):
    # Every bucket of every account has a phase of its own.
    system = two_workers
    seed = random.randrange(1000)
    system.sandbox.reset(seed)
    published = [get_metrics.on(alias).delay().id for alias in ("default", "a", "b") for _ in range(60)]
    published += [get_tags.on(alias).delay().id for alias in ("default", "a", "b") for _ in range(18)]
    published += [create_profile.delay(email=f"p{n}@example.com").id for n in range(300)]

    ends = system.ended(published, 30)

    assert failures(ends) == {}
    assert system.sandbox.throttled() == 0, f"seed {seed}"
    for operation, account, limit in [("get_metrics", "a", 10), ("create_profile", "default", 75)]:
        moments = [row["at"] for row in system.sandbox.ledger(operation, account)]
        # A full load, less the first second's, at the limit's pace; what an answer takes is lost to every second.
        assert moments[-1] - moments[0] <= stretched(1.35 * (len(moments) / limit - 1) + 1), f"seed {seed}, {operation}"


def test_a_full_minute_is_waited_for(two_workers):
    # Fifteen left of a minute's limit: the rest waits in Redis, and no 429 tells so.
    system = two_workers
    system.sandbox.begin_minute("get_metrics")
    system.sandbox.limits(operation="get_metrics", steady=15)
    published = [get_metrics.delay().id for _ in range(60)]

    until(lambda: len(system.ends(published)) >= 15, 10, "the minute's fifteen")
    other = create_list.delay(name="Members").id
    system.ended([other])

    places = system.places_at_rest(published)
    assert len(places.done) == 15
    assert len(places.waiting) == 45
    assert system.sandbox.statuses("get_metrics") == [200] * 15


def test_a_second_client_that_eats_a_third_of_a_minute_costs_few_429s_and_no_task(two_workers):
    system = two_workers
    system.sandbox.begin_minute("get_metrics")
    system.sandbox.limits(operation="get_metrics", burst=1000, steady=80)
    system.sandbox.drain(operation="get_metrics", per_second=4)
    published = [get_metrics.delay().id for _ in range(160)]

    def minute() -> int:
        return system.sandbox.windows()["default"].get("get_metrics", {"open": {"60": [0, 0]}})["open"]["60"][1]

    until(lambda: minute() == 80, 40, "a full minute")
    other = create_list.delay(name="Members").id
    system.ended([other])

    (theirs,) = system.sandbox.drained()
    places = system.places_at_rest(published)
    assert theirs["admitted"] >= 15
    # Only what is under way when the other client takes the last of the minute: a second's burst at the most.
    assert system.sandbox.throttled() <= 10
    assert {end.error for end in system.ends(published).values()} == {None}
    assert len(places.waiting) >= 40


def test_a_second_client_in_every_second_costs_no_task(two_workers):
    system = two_workers
    system.sandbox.limits(operation="get_metrics", steady=10_000)
    system.sandbox.drain(operation="get_metrics", per_second=3)
    published = [get_metrics.delay().id for _ in range(50)]

    ends = system.ended(published, 25)

    assert failures(ends) == {}
    assert system.sandbox.statuses("get_metrics").count(200) == len(published)
    assert system.sandbox.throttled() < len(published) / 2


def test_a_limit_that_klaviyo_has_changed_is_adopted_and_told_once(two_workers):
    system = two_workers
    system.sandbox.limits(operation="get_metrics", steady=222)
    published = [get_metrics.delay().id for _ in range(30)]

    system.ended(published, 15)

    told = [line for worker in system.workers for line in worker.text().splitlines() if "222 requests a minute" in line]
    assert len(told) == 1
    assert system.redis.hget("klaviyo:bucket:default:get_metrics", "limit") == "222"
