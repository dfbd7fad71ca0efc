"""A worker is asked to stop: what was sent is finished, the rest goes back to wait."""

from __future__ import annotations

from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.live.system import failures, until
from tests.live.whereabouts import assert_nothing_lost

SOFT_LIMIT = 8


def test_a_graceful_stop_finishes_what_was_sent_and_leaves_the_rest_to_the_next_worker(system):
    system.sandbox.fault("latency", seconds=1.0, times=None)
    worker = system.worker(SHUTDOWN_SECONDS=SOFT_LIMIT).ready()
    published = [create_list.delay(name=f"list {n}").id for n in range(30)]
    published += [create_profile.delay(email=f"p{n}@example.com").id for n in range(200)]
    until(lambda: system.sandbox.arrived() >= 6, 10, "requests in flight")

    code = worker.stop(SOFT_LIMIT)

    assert code == 0
    sent = system.sandbox.arrived()
    places = assert_nothing_lost(system.redis, published)
    assert len(places.done) == sent
    assert not places.unacked
    assert len(places.waiting | places.later | places.queued) == len(published) - sent
    assert {end.error for end in system.ends(published).values()} == {None}

    system.sandbox.clear_faults()
    system.worker().ready()
    ends = system.ended(published, 30)

    assert failures(ends) == {}
    assert len(system.sandbox.ledger()) == len(published)
    assert system.sandbox.state()["profile"] == 200
    assert set(system.sandbox.names("/api/lists", "name").values()) == {1}


def test_a_worker_that_hangs_in_a_request_ends_within_the_soft_limit_and_loses_nothing(system):
    system.sandbox.fault("hang", operation="create_profile", times=1)
    worker = system.worker(SHUTDOWN_SECONDS=1, READ_TIMEOUT=30).ready()
    task_id = create_profile.delay(email="ada@example.com").id
    until(lambda: system.sandbox.arrived() == 1, 5, "the request")

    worker.stop(5)

    assert_nothing_lost(system.redis, [task_id])
