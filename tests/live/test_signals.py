"""Every signal that a worker may get: idle, with a request under way, while one hangs, while Redis is away."""

from __future__ import annotations

import signal

from tasks.profiles import create_profile
from tests.live.system import failures, over, until
from tests.live.whereabouts import assert_nothing_lost
from worker.app import app

ADA = "ada@example.com"


def started(system, **limits):
    """A worker for each name, which takes one request at a time and has so many seconds to stop."""
    workers = {
        name: system.worker(CONCURRENCY=1, READ_TIMEOUT=60, SHUTDOWN_SECONDS=seconds)
        for name, seconds in limits.items()
    }
    for worker in workers.values():
        worker.ready()
    system.sandbox.limits(off=True)
    # Of a bucket of which nothing is known, one request goes before the rest.
    system.end_of(create_profile.delay(email=ADA).id)
    return workers


def busy(system, workers, tasks):
    """The ids of so many tasks, once each worker has a request under way."""
    ids = [create_profile.delay(email=f"p{n}@example.com").id for n in range(tasks)]
    until(lambda: system.sandbox.arrived() >= 1 + len(workers), 20, "a request of each worker")
    return ids


def send(worker, number):
    worker.process.send_signal(number)


def told(workers):
    """For a failure: the last that each worker has said."""
    return lambda: "\n".join(worker.last(6) for worker in workers.values())


def begun_anew(worker):
    return worker.text().count(" ready.") == 2


def test_a_request_that_is_under_way_is_finished_whatever_signal_ends_the_worker(system):
    workers = started(system, TERM=10, INT=10, QUIT=10, HUP=10, remote=10)
    system.sandbox.fault("latency", seconds=1.0, times=None)
    ids = busy(system, workers, 2 * len(workers))

    for name in ("TERM", "INT", "QUIT", "HUP"):
        send(workers[name], signal.Signals[f"SIG{name}"])
    app.control.shutdown(destination=[workers["remote"].name])

    for name in ("TERM", "INT", "QUIT", "remote"):
        assert over(workers[name].process, 8) == 0, name
        assert "Traceback" not in workers[name].text()
    until(lambda: begun_anew(workers["HUP"]), 20, workers["HUP"].last)
    ends = system.ended(ids, 20)
    assert failures(ends) == {}
    assert len(system.sandbox.ledger("create_profile")) == 1 + len(ids)

    send(workers["HUP"], signal.SIGQUIT)  # it is idle by now
    assert over(workers["HUP"].process, 8) == 0


def test_a_request_that_hangs_holds_no_worker_up_and_a_second_signal_ends_it_at_once(system):
    # Where the limit is beyond what the test waits for, it is the second signal that ends the worker.
    workers = started(system, **{"QUIT": 1, "HUP": 1, "TERM, TERM": 60, "INT, INT": 60})
    system.sandbox.fault("hang", operation="create_profile", times=None)
    ids = busy(system, workers, len(workers))

    send(workers["TERM, TERM"], signal.SIGUSR1)
    until(lambda: "What each thread does" in workers["TERM, TERM"].text(), 10, "the stacks")
    assert "in send" in workers["TERM, TERM"].text()
    assert not any(secret in workers["TERM, TERM"].text() for secret in ("example.com", "pk_sandbox"))

    for name, worker in workers.items():
        for each in name.split(", "):
            said = worker.text().count("This worker stops")
            send(worker, signal.Signals[f"SIG{each}"])
            until(lambda: worker.process.poll() is not None or worker.text().count("This worker stops") > said, 5, name)  # noqa: B023

    for name in ("QUIT", "TERM, TERM", "INT, INT"):
        assert over(workers[name].process, 8) == 1, name
        assert "Traceback" not in workers[name].text()
    until(lambda: begun_anew(workers["HUP"]), 20, workers["HUP"].last)
    assert_nothing_lost(system.redis, ids)


def test_a_worker_that_cannot_reach_redis_ends_within_its_limit_and_loses_nothing(system):
    workers = started(system, TERM=2, INT=2, QUIT=2, HUP=2)
    system.sandbox.fault("latency", seconds=0.5, times=None)
    ids = busy(system, workers, len(workers))
    system.server.stop(signal.SIGKILL)
    try:
        # By then every request is answered, and its thread waits for Redis.
        until(lambda: all("Trying again in" in each.text() for each in workers.values()), 20, told(workers))
        for name, worker in workers.items():
            send(worker, signal.Signals[f"SIG{name}"])
        for name in ("TERM", "INT", "QUIT"):
            over(workers[name].process, 8)
            assert "Unrecoverable" not in workers[name].text()
    finally:
        system.server.start_again()

    until(lambda: begun_anew(workers["HUP"]), 20, workers["HUP"].last)
    assert_nothing_lost(system.redis, ids)
