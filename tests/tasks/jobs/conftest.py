"""The steps of jobs without workers: a real ledger, and what each step would publish is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis

from tasks.jobs import find, isolate, next_step, read, spawn, watch
from tasks.jobs.import_runs import Runs
from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import Job, Ledger
from worker.api.jsonapi import Request
from worker.reminders import Reminders
from worker.steps import AskingStep

NAME = "bulk_import_profiles"
LEASE = 75_000


class Steps:
    """One job, by the ledger's own clock.

    ``asked`` are the requests that steps would make, each with what it is about; ``gone_on`` and ``collected`` the ids
    of jobs whose next or last step would be published.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.ms = 1_795_521_600_000
        self.ledger = Ledger(client, clock=lambda: self.ms)
        self.reminders = Reminders(client, clock=lambda: self.ms)
        self.asked: list[SimpleNamespace] = []
        self.gone_on: list[str] = []
        self.collected: list[str] = []

    def wait(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)

    def opened(self, id: str = "job", kind: str = NAME, **how: Any) -> Job:
        """A job that may be sent."""
        path = JOB_KINDS[kind].path
        people = [{"type": "profile", "attributes": {"email": f"{who}@example.com"}} for who in ("ada", "bob")]
        body: Any = people if path else {"type": "campaign-send-job", "id": "C1"}
        for name in reversed(path or ("data",)):
            body = {name: body}
        request = Request("POST", "/api/jobs", {}, orjson.dumps(body))
        self.ledger.open(id, kind, "default", request, items=2, cap=JOB_KINDS[kind].cap, **how)
        return self.job(id)

    def sent(self, id: str = "job", kind: str = NAME, **how: Any) -> Job:
        """A job whose request is under way, or was not answered."""
        self.opened(id, kind, **how)
        assert self.ledger.mark_sending(id, LEASE, "holder")
        return self.job(id)

    def accepted(self, id: str = "job", kind: str = NAME, **how: Any) -> Job:
        """A job that Klaviyo has."""
        self.sent(id, kind, **how)
        assert self.ledger.accept(id, f"K-{id}", own=True) == "ok"
        return self.job(id)

    def job(self, id: str = "job") -> Job:
        found = self.ledger.job(id)
        assert found is not None
        return found


@pytest.fixture
def steps(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Steps:
    made = Steps(client)

    def ask(_: Any, action: Any, params: Any, account: str, about: Any, *, countdown: float = 0.0, **__: Any) -> None:
        made.asked.append(SimpleNamespace(action=action.declaration.name, params=params, about=about, after=countdown))

    monkeypatch.setattr(AskingStep, "ask", ask)
    monkeypatch.setattr(isolate, "get_runs", lambda: Runs(client))
    monkeypatch.setattr(read, "publish_last_step", lambda job: made.collected.append(job.id))
    for module in (find, isolate, next_step, read, spawn, watch):
        monkeypatch.setattr(module, "get_ledger", lambda: made.ledger)
        if module is not next_step and hasattr(module, "go_on"):
            monkeypatch.setattr(module, "go_on", lambda *ids, **_: made.gone_on.extend(ids))
        if hasattr(module, "remind"):
            monkeypatch.setattr(module, "remind", made.reminders.set)
        if hasattr(module, "show_state"):
            monkeypatch.setattr(module, "show_state", lambda *_, **__: None)
    return made
