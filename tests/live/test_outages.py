"""Redis goes away, or forgets everything; Klaviyo cannot be reached."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import pytest
import redis
from kombu.exceptions import OperationalError

from tasks.lists import create_list
from tasks.metrics import get_metrics
from tasks.profiles import create_profile
from tests.live.system import failures, stretched, until
from tests.live.whereabouts import assert_nothing_lost
from worker.app import app

#: Seconds in which work must go on after Redis is back.
BACK = 5

LISTS = 30

#: What a worker says before each attempt to connect again.
TRIES = "Trying again in"


@pytest.fixture
def flow(system):
    """Two workers in the middle of their work, and what was published to them."""
    system.sandbox.limits(steady=100_000)
    system.sandbox.fault("latency", seconds=0.2, times=None)
    published = [create_list.delay(name=f"list {n}").id for n in range(LISTS)]
    published += [create_profile.delay(email=f"p{n}@example.com").id for n in range(100)]
    workers = [system.worker(), system.worker()]
    for worker in workers:
        worker.ready()
    until(lambda: system.sandbox.arrived() > 40, 10, "work in full flow")
    yield published
    # The next test needs a server, whatever became of this one.
    if not system.server.answers():
        system.server.start_again()


def assert_all_done_once(system, published):
    """Every task succeeded, every profile and every list is there once, and nothing was sent too fast."""
    ends = system.ended(published, 40)
    failed = {each: end for each, end in ends.items() if end.error}
    assert not failed, f"{failed}\n{system.story(failed)}"
    assert system.sandbox.state()["profile"] == len(published) - LISTS
    assert set(system.sandbox.names("/api/lists", "name").values()) == {1}
    assert system.sandbox.state()["list"] == LISTS
    assert system.sandbox.throttled() == 0


def test_a_restart_of_redis_loses_no_task(system, flow):
    for how in (signal.SIGTERM, signal.SIGKILL):
        arrived = system.sandbox.arrived()
        flow += [create_profile.delay(email=f"{how.name}{n}@example.com").id for n in range(100)]
        until(lambda: system.sandbox.arrived() > arrived + 10, 10, "work in full flow")  # noqa: B023
        tried = {worker.name: worker.text().count(TRIES) for worker in system.workers}
        system.server.stop(how)

        began = time.monotonic()
        with pytest.raises((OperationalError, redis.ConnectionError)):
            create_profile.delay(email="lost@example.com")
        assert time.monotonic() - began < stretched(10)
        # However long it takes: the pauses between the workers' attempts must not have grown.
        for worker in system.workers:

            def said(worker=worker) -> str:
                return f"four attempts to connect\n{worker.last()}"

            until(lambda worker=worker: worker.text().count(TRIES) >= tried[worker.name] + 4, 20, said)  # noqa: B023

        system.server.start_again()
        assert_nothing_lost(system.redis, flow)
        arrived = system.sandbox.arrived()
        until(lambda: system.sandbox.arrived() > arrived, BACK, "work to go on")  # noqa: B023

    assert_all_done_once(system, flow)


def test_cut_connections_lose_no_task(system, flow):
    for n in range(5):
        arrived = system.sandbox.arrived()
        system.redis.client_kill_filter(_type="normal", skipme=True)
        system.redis.client_kill_filter(_type="pubsub", skipme=True)
        assert_nothing_lost(system.redis, flow)
        until(lambda: system.sandbox.arrived() > arrived + 10, BACK, "work to go on")  # noqa: B023
        flow.append(create_profile.delay(email=f"late{n}@example.com").id)

    assert_all_done_once(system, flow)
    # This process's own connection was cut, too: the next file finds that it connects anew.
    with suppress(redis.ConnectionError, OperationalError):
        app.control.broadcast("ping", reply=True, timeout=0.1)


def test_a_flushed_redis_recovers_by_itself(system):
    system.worker().ready()
    before = [get_metrics.delay().id for _ in range(40)]
    until(lambda: len(system.ends(before)) >= 15, 10, "some of the work done")

    system.redis.flushall()
    after = [get_metrics.delay().id for _ in range(20)]
    until(lambda: system.ends(after), 4, "the first new task")
    ends = system.ended(after, 10)

    assert failures(ends) == {}
    # One request of a bucket of which nothing is known may come too early.
    assert system.sandbox.throttled() <= 1


def test_klaviyo_out_of_reach_uses_up_the_attempts_even_of_what_must_not_be_repeated(system):
    system.worker(BASE_URL="http://127.0.0.1:9", MAX_ATTEMPTS=2).ready()

    end = system.end_of(create_list.delay(name="Members").id)

    assert end.error == "Unavailable"
    assert end.arguments[-2:] == [False, 2]
