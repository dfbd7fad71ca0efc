"""Calls that wait travel in one request, through real workers that are killed, and each ends by itself."""

from __future__ import annotations

import pytest
from celery import chord

from tasks.events import create_event
from tasks.profiles import create_profile, get_profile
from tests.live.system import failures, until
from tests.live.whereabouts import assert_nothing_lost
from tests.soak import sized
from worker.app import app

EVENTS, BAD, KILLS, READS = sized(1_500, 50_000), sized(5, 100), sized(2, 20), sized(60, 2_000)
PROFILES = 200


@pytest.mark.soak
def test_of_many_events_the_bad_ones_fail_and_no_other_whoever_is_killed(system):
    sandbox = system.sandbox
    calls = [
        # What our own check lets pass, and Klaviyo does not: a metric without a name.
        {
            "metric": "" if each % (EVENTS // BAD) == 7 else "Placed Order",
            "profile": {"email": f"p{each % 50}@example.com"},
        }
        for each in range(EVENTS)
    ]
    results = create_event.delay_many(calls)
    ids = [each.id for each in results]
    sandbox.fault("latency", seconds=0.3, times=None)
    for _ in range(KILLS):
        worker, arrived = system.worker().ready(), sandbox.arrived()
        until(lambda: sandbox.arrived() > arrived, 20, "a request under way")  # noqa: B023
        worker.kill()
        assert_nothing_lost(system.redis, ids)
        system.lapse()
    sandbox.clear_faults()

    system.worker().ready()
    ends = system.ended(ids, 120)

    wrong = {number for number, each in enumerate(ids) if ends[each].error}
    assert wrong == {number for number, each in enumerate(calls) if not each["metric"]}
    assert {ends[ids[number]].error for number in wrong} == {"BadRequest"}
    assert sandbox.state()["event"] == EVENTS - len(wrong)
    assert sandbox.throttled() == 0
    assert len(sandbox.ledger("bulk_create_events")) >= 1


@pytest.mark.soak
def test_a_chord_of_reads_that_travel_together_has_each_result_in_order(system, events):
    system.sandbox.seed(account="default", profiles=READS)
    ids = list(system.sandbox.rows("profile"))

    # A task of Celery's own, which returns what it was given: the envelopes of the header, in order.
    whole = chord([get_profile.si(id=each) for each in ids], app=app)(app.tasks["celery.accumulate"].s())
    system.worker().ready()

    [envelopes] = whole.get(timeout=120)
    assert [each["data"]["id"] for each in envelopes] == ids
    assert [each.get(timeout=120) for each in whole.parent.results] == envelopes
    assert len(system.sandbox.ledger()) < READS
    tasks = {each.id for each in whole.parent.results}
    for kind in ("task-received", "task-started", "task-succeeded"):
        until(lambda: tasks <= {each["uuid"] for each in events if each["type"] == kind}, 10, kind)  # noqa: B023


def test_profiles_that_are_created_together_end_with_the_job_that_carries_them(system):
    calls = [{"email": f"p{each}@example.com", "first_name": "Ada"} for each in range(PROFILES)]
    results = create_profile.on(together=True).delay_many(calls)

    system.worker().ready()
    ends = system.ended([each.id for each in results], 60)

    assert failures(ends) == {}
    assert len(system.sandbox.rows("profile")) == PROFILES
    carried = [each for each in results if "job_id" in each.result]
    assert len(carried) == PROFILES - len(system.sandbox.ledger("create_profile"))
    assert len(carried) > PROFILES / 2
