"""The first step of a job: it is sent once, and whatever comes of that is written down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Retry

from tasks.jobs import spawn as spawning
from tasks.jobs.spawn import Spawn
from worker import carrying_out
from worker.errors import BadRequest, OutcomeUnknown, Throttled, Unavailable
from worker.governor import Claim

CATALOG = "bulk_create_catalog_items"


class Sending:
    """Stands for whoever carries a request out: what it answers, and how often it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.sent = answer, 0

    def __call__(self, *_: Any) -> Any:
        self.sent += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def spawn(steps: Any, monkeypatch: pytest.MonkeyPatch, clean_settings: None) -> Any:
    """Carries the step out once; the request's answer is given."""
    leases: list[str] = []
    nothing = lambda *_, **__: None  # noqa: E731
    governor = SimpleNamespace(release=leases.append, close_lease=lambda id, *_: leases.append(id), done=nothing)
    monkeypatch.setattr(spawning, "get_governor", lambda: governor)
    monkeypatch.setattr(spawning, "claim_lease", lambda *_: Claim("ok", 0))
    monkeypatch.setattr(carrying_out, "back_to_wait", lambda call, request, lane, why, delay, **_: Retry(why))
    for name in ("task_id", "holder"):
        monkeypatch.setattr(Spawn, name, "step")

    def carry_out(answer: Any, kind: str) -> int:
        sending = Sending(answer)
        monkeypatch.setattr(spawning, "attempt", sending)
        Spawn().run(job="job", kind=kind)
        return sending.sent

    return carry_out


def test_a_job_that_klaviyo_has_taken_is_accepted(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    assert spawn({"data": {"type": "x", "id": "K1", "attributes": {}}}, CATALOG) == 1
    assert (steps.job().state, steps.job().job_id) == ("accepted", "K1")


def test_a_job_that_another_worker_is_sending_is_not_sent(steps: Any, spawn: Any, monkeypatch: pytest.MonkeyPatch):
    steps.opened("job", CATALOG)
    # It has looked before the other one wrote down that it sends, and writes after it.
    monkeypatch.setattr(Spawn, "_may_send", lambda *_: steps.ledger.mark_sending("job", 75_000, "holder"))

    assert spawn({"data": {"id": "K1"}}, CATALOG) == 0
    assert steps.job().state == "spawning"


def test_a_job_that_met_a_429_may_be_sent_again_at_once(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    with pytest.raises(Retry):
        spawn(Throttled(CATALOG, "default", 429, []), CATALOG)

    assert (steps.job().state, steps.job().sent) == ("spawning", None)
    assert spawn({"data": {"type": "x", "id": "K1", "attributes": {}}}, CATALOG) == 1


def test_a_job_for_which_klaviyo_has_no_room_waits_for_a_slot(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    spawn(BadRequest(CATALOG, "default", 400, [{"detail": "There are too many jobs in progress."}]), CATALOG)

    assert steps.job().state == "waiting"


def test_a_job_that_klaviyo_refuses_ends_with_the_reason(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    with pytest.raises(BadRequest):
        spawn(BadRequest(CATALOG, "default", 400, [{"detail": "The title is too long."}]), CATALOG)

    assert (steps.job().state, steps.job().status, steps.gone_on) == ("ended", "refused", ["job"])


def test_a_job_whose_answer_was_lost_is_looked_for_and_not_sent_again(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    spawn(Unavailable(CATALOG, "default", "no answer"), CATALOG)

    assert steps.job().sent
    assert spawn({"data": {"id": "K1"}}, CATALOG) == 0
    assert steps.gone_on == ["job", "job"]


def test_a_job_that_nobody_can_look_for_and_must_not_be_repeated_ends_as_unknown(steps: Any, spawn: Any):
    kind = "create_data_source_record"
    steps.opened("job", kind, once="the data source")

    with pytest.raises(OutcomeUnknown):
        spawn(Unavailable(kind, "default", "no answer"), kind)

    assert (steps.job().state, steps.job().status) == ("ended", "unknown")


def test_a_job_that_was_not_sent_is_tried_again(steps: Any, spawn: Any):
    steps.opened("job", CATALOG)

    with pytest.raises(Retry):
        spawn(Unavailable(CATALOG, "default", "no connection", sent=False), CATALOG)

    assert (steps.job().state, steps.job().sent) == ("spawning", None)
