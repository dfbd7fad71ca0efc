"""Failures are replayed once each, whoever dies in between."""

from __future__ import annotations

import pytest

from tasks.events import create_event
from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.cli.typed import run
from tests.live.system import until
from tests.live.whereabouts import assert_nothing_lost
from tests.soak import sized
from worker.failures.kept import failure_groups, failures_of
from worker.failures.replay import repeated_id

#: Failures of the two large groups each; the third has an eighth of that, as a day allows 150 lists.
FAILURES = sized(50, 472)


@pytest.mark.soak
def test_failures_in_three_groups_are_replayed_by_one_command_each_once_though_a_worker_is_killed(system):
    sandbox = system.sandbox
    sandbox.limits(steady=100_000)
    for operation in ("create_profile", "create_event", "create_list"):
        sandbox.fault("status", status=400, operation=operation, times=None)
    worker = system.worker(TOGETHER=False).ready()
    published = [create_profile.on(lane="bulk").delay(email=f"p{n}@example.com").id for n in range(FAILURES)]
    published += [create_event.delay(metric=f"Bought {n}", profile={"email": "a@example.com"}).id
                  for n in range(FAILURES)]  # fmt: skip
    published += [create_list.on("a").delay(name=f"list {n}").id for n in range(FAILURES // 8)]
    ends = system.ended(published, 60)
    assert {end.error for end in ends.values()} == {"BadRequest"}
    assert sorted(each.failures for each in failure_groups()) == [FAILURES // 8, FAILURES, FAILURES]
    assert not system.redis.exists("klaviyo:unacked")
    places = {
        failure.id: (failure.account, failure.lane)
        for count in failure_groups()
        for failure in failures_of(count.group.id)
    }
    repeated = {repeated_id(each) for each in published}

    sandbox.clear_faults()
    sandbox.fault("latency", seconds=0.05, times=None)
    arrived = sandbox.arrived()
    assert run("failures", "replay", "all").exit_code == 0
    until(lambda: sandbox.arrived() >= arrived + 10, 20, "some of them at the sandbox")
    worker.kill()
    system.lapse()
    assert_nothing_lost(system.redis, repeated)
    assert run("failures", "replay", "all").exit_code == 0  # there is nothing left to repeat
    system.worker(TOGETHER=False).ready()
    ends = system.ended(repeated, 90)

    assert len(repeated) == len(ends) == len(published)
    # A list whose request was under way when the worker died may be there: it is not asked for again.
    assert {ends[repeated_id(each)].error for each in published} <= {None, "Conflict", "OutcomeUnknown"}
    assert sandbox.state()["profile"] == FAILURES + 1
    assert sandbox.state()["event"] == FAILURES
    assert set(sandbox.names("/api/lists", "name", "a").values()) <= {1}
    assert set(places.values()) == {("default", "bulk"), ("default", "now"), ("a", "now")}
