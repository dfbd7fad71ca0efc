"""The last step of a job tells its outcome, and tells it once."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import Ignore

from tasks.jobs import settle as settling
from tasks.jobs.settle import SettleJob
from worker.errors import JobCancelled, JobFailed


@pytest.fixture
def collected(steps: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Carries the step out; ``ended``: the job's result tells its end already."""

    def carry_out(ended: bool = False) -> Any:
        monkeypatch.setattr(settling, "has_ended", lambda id: ended)
        return SettleJob().run()

    monkeypatch.setattr(settling, "get_ledger", lambda: steps.ledger)
    monkeypatch.setattr(settling, "go_on", lambda *ids: steps.gone_on.extend(ids))
    monkeypatch.setattr(SettleJob, "task_id", "job")
    return carry_out


def test_a_job_that_has_ended_is_settled_and_reported(steps: Any, collected: Any):
    steps.accepted()
    steps.ledger.end("job", "complete", {"total": 2, "completed": 2})

    envelope = collected()

    assert (envelope["successful"], envelope["data"]["completed"], envelope["job_id"]) == (True, 2, "K-job")
    assert steps.job().state == "settled"


def test_a_job_whose_result_could_not_be_stored_is_reported_again_and_one_that_was_is_not(steps: Any, collected: Any):
    steps.accepted()
    steps.ledger.end("job", "complete", {"total": 2, "completed": 2})
    first = collected()

    assert collected() == first
    with pytest.raises(Ignore):
        collected(ended=True)


def test_a_job_that_has_been_opened_again_goes_on(steps: Any, collected: Any):
    steps.accepted()

    with pytest.raises(Ignore):
        collected()
    assert steps.job().state == "accepted"


def test_a_bad_end_is_raised_after_it_is_settled(steps: Any, collected: Any):
    steps.accepted()
    steps.ledger.end("job", "cancelled", {"total": 2})

    with pytest.raises(JobCancelled):
        collected()
    assert steps.job().state == "settled"


def test_a_job_that_the_ledger_has_forgotten_has_failed(collected: Any):
    with pytest.raises(JobFailed):
        collected()
