"""Workers and the server die while jobs are under way: each job is settled once, and none is submitted twice."""

from __future__ import annotations

import signal
import time

import pytest
from system import until

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles

JOBS, PEOPLE = 200, 20


def part(number):
    return [{"email": f"p{number}-{n}@example.com"} for n in range(PEOPLE)]


def assert_all_settled_once(system, ends, jobs):
    assert {end.status for end in ends.values()} == {"SUCCESS"}, {str(end.result) for end in ends.values()}
    assert sum(end.result["data"]["completed"] for end in ends.values()) == jobs * PEOPLE
    assert len({end.result["data"]["id"] for end in ends.values()}) == jobs
    state = system.sandbox.state()
    assert (state["doubled_jobs"], state["profile-bulk-import-job"]) == (0, jobs)
    assert state["profile"] == jobs * PEOPLE


@pytest.mark.timeout(200)
def test_a_worker_killed_every_two_seconds_costs_no_job_and_doubles_none(system):
    system.sandbox.limits(steady=100_000)
    system.sandbox.jobs(seconds=[1, 4], times=None)
    tasks = [run_job(bulk_import_profiles).delay(profiles=part(n)).id for n in range(JOBS)]

    workers = [system.worker(READ_TIMEOUT=1.5).ready() for _ in range(2)]
    killed, until_then = 0, time.monotonic() + 120
    while len(system.ends(tasks)) < JOBS and time.monotonic() < until_then:
        begun = time.monotonic()
        fresh = system.worker(READ_TIMEOUT=1.5)
        until(lambda begun=begun: time.monotonic() - begun > 2, 5, "two seconds")
        fresh.ready()  # else there would be none at all where a start takes longer than that
        workers.pop(0).kill()
        workers.append(fresh)
        killed += 1
    ends = system.ended(tasks, 60)

    print(f"{killed} kills")
    assert_all_settled_once(system, ends, JOBS)


@pytest.mark.timeout(150)
def test_a_restart_of_redis_costs_no_job_and_doubles_none(system, live_server):
    system.sandbox.limits(steady=100_000)
    system.sandbox.jobs(seconds=[2, 4], times=None)
    system.worker(READ_TIMEOUT=1.5).ready()
    tasks = [run_job(bulk_import_profiles).delay(profiles=part(n)).id for n in range(40)]

    until(lambda: system.sandbox.state().get("profile-bulk-import-job", 0) >= 15, 30, "fifteen jobs")
    live_server.stop(signal.SIGKILL)
    live_server.start_again()
    ends = system.ended(tasks, 90)

    assert_all_settled_once(system, ends, 40)
