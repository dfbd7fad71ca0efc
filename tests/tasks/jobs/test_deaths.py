"""A worker dies between any two commands of a step: somebody else comes to the job soon, not when all hope is lost."""

from __future__ import annotations

from itertools import count

import orjson
import pytest

from tasks.jobs import JOB_KINDS, next_step, read, spawn, watch
from tasks.jobs.ledger import Ledger
from worker.api.jsonapi import Request
from worker.reminders import Reminders, see_to

#: Seconds until a job that nobody looks after is seen to: the grace that whoever comes next has, and a little.
SOON = 16

LISTED, ALONE = "bulk_import_profiles", "send_campaign"


class Died(BaseException):
    """A worker has died; nothing catches that."""


class Worker:
    """Publishes steps until it dies; what it has published is in ``published``."""

    def __init__(self):
        self.published = []
        self.left = None

    def lives(self):
        """Called before each command; the last one is not carried out."""
        if self.left is not None:
            if self.left == 0:
                raise Died
            self.left -= 1

    def publish(self, step):
        self.lives()
        self.published.append(step)


class MortalLedger(Ledger):
    """A ledger whose worker may die before it is told something."""

    def __init__(self, client, worker, clock):
        super().__init__(client, clock=clock)
        self._worker = worker

    def _call(self, operation, *arguments):
        self._worker.lives()
        return super()._call(operation, *arguments)


@pytest.fixture
def worker(monkeypatch):
    made = Worker()
    for place in ("tasks.jobs.read", "tasks.jobs.spawn", "worker.steps"):
        monkeypatch.setattr(f"{place}.published", made.publish)
    return made


@pytest.fixture
def time():
    """The ledger's clock, in ms."""
    return [1_700_000_000_000]


@pytest.fixture
def reminders(client, time):
    return Reminders(client, clock=lambda: time[0])


@pytest.fixture
def ledger(client, worker, time, reminders, monkeypatch):
    made = MortalLedger(client, worker, lambda: time[0])

    def remind(*reminder):
        worker.lives()
        reminders.set(*reminder)

    for module in (next_step, read, spawn, watch):
        monkeypatch.setattr(module, "get_ledger", lambda: made)
    for module in (next_step, watch):
        monkeypatch.setattr(module, "remind", remind)
    return made


def opened(ledger, kind, state):
    """One job in this state, and no other."""
    ledger._client.flushall()
    ledger.open("job", kind, "default", Request("POST", "/api/x", {}, orjson.dumps({"data": {"id": "C"}})))
    if state != "spawning":
        ledger.mark_sending("job", 17_000, "holder")
        ledger.accept("job", "K1", own=kind == LISTED)
    if state == "ended":
        ledger.end("job", "complete", {"total": 4, "failed": 2})


@pytest.mark.parametrize("state", ["spawning", "accepted", "ended"])
@pytest.mark.parametrize("kind", [LISTED, ALONE])
def test_a_job_whose_worker_died_before_it_had_published_the_next_step_is_resumed_soon(
    ledger, worker, time, reminders, kind, state
):
    assert JOB_KINDS[LISTED].listing
    assert not JOB_KINDS[ALONE].listing
    for commands in count():
        worker.left = None
        opened(ledger, kind, state)
        worker.published.clear()
        worker.left = commands
        try:
            next_step.go_on("job")
        except Died:
            worker.left = None
        else:
            break

        time[0] += SOON * 1000
        see_to(reminders.overdue(30))

        assert worker.published, f"it died before command {commands + 1}, and nobody has come to the job"
    assert commands >= 2
