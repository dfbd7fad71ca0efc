"""Workers and the server die while jobs are under way: each job is settled once, and none is submitted twice."""

from __future__ import annotations

import signal

import pytest

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles
from tests.live.system import failures, until
from tests.soak import sized

JOBS, PEOPLE, KILLS = sized(24, 200), 20, sized(3, 12)

JOB = "profile-bulk-import-job"


def part(number):
    return [{"email": f"p{number}-{n}@example.com"} for n in range(PEOPLE)]


def assert_all_settled_once(system, ends, jobs):
    assert failures(ends) == {}
    assert sum(end.result["data"]["completed"] for end in ends.values()) == jobs * PEOPLE
    assert len({end.result["data"]["id"] for end in ends.values()}) == jobs
    state = system.sandbox.state()
    assert (state["doubled_jobs"], state[JOB]) == (0, jobs)
    assert state["profile"] == jobs * PEOPLE


@pytest.mark.soak
def test_a_worker_killed_again_and_again_costs_no_job_and_doubles_none(system):
    system.sandbox.limits(steady=100_000)
    system.sandbox.jobs(seconds=[1, 4], times=None)
    tasks = [run_job(bulk_import_profiles).delay(profiles=part(n)).id for n in range(JOBS)]

    workers = [system.worker(READ_TIMEOUT=1.5).ready() for _ in range(2)]
    for kill in range(KILLS):
        # At each kill there are jobs that have not begun, jobs under way, and jobs that have ended.
        begun = JOBS * (kill + 1) // (KILLS + 1)
        until(lambda begun=begun: system.sandbox.state().get(JOB, 0) >= begun, 60, f"{begun} jobs")
        workers.pop(0).kill()
        workers.append(system.worker(READ_TIMEOUT=1.5).ready())
    ends = system.ended(tasks, 60)

    assert_all_settled_once(system, ends, JOBS)


def test_a_restart_of_redis_costs_no_job_and_doubles_none(system, live_server):
    system.sandbox.limits(steady=100_000)
    system.sandbox.jobs(seconds=[2, 4], times=None)
    system.worker().ready()
    tasks = [run_job(bulk_import_profiles).delay(profiles=part(n)).id for n in range(24)]

    until(lambda: system.sandbox.state().get(JOB, 0) >= 10, 30, "ten jobs")
    live_server.stop(signal.SIGKILL)
    live_server.start_again()
    ends = system.ended(tasks, 90)

    assert_all_settled_once(system, ends, 24)
