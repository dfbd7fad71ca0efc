"""What a job that is over still has to tell is read to its end before the job is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks.jobs import read
from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.read import Read, Reading, publish_last_step
from tasks.jobs.watch import NOT_FOUND_BELIEVED_AFTER
from worker.errors import Gone, NotFound, Unavailable

NAME = "bulk_import_profiles"
NEXT = "https://a.klaviyo.com/api/profile-bulk-import-jobs/K-job/import-errors?page%5Bcursor%5D=two"


@pytest.fixture(autouse=True)
def ended(steps: Any):
    """A job of whose records some have failed."""
    steps.accepted()
    steps.ledger.end("job", "complete", {"total": 2, "completed": 0, "failed": 2})


def answer(about: Reading, detail: str, following: str | None = None) -> None:
    page = {
        "data": [{"type": "import-error", "id": "E", "attributes": {"detail": detail}}],
        "links": {"next": following},
    }
    Read().answered(page, {"job_id": "K-job"}, "default", about)


def test_errors_are_read_to_the_last_page_before_the_job_is_reported(steps: Any):
    Read().publish(steps.job(), JOB_KINDS[NAME], 0.0)

    answer(steps.asked.pop().about, "first", NEXT)
    assert steps.collected == []
    [second] = steps.asked
    assert second.params["page_cursor"] == "two"
    answer(second.about, "second")

    assert steps.collected == ["job"]
    assert [each["detail"] for each in steps.ledger.errors_of("job")] == ["first", "second"]


def test_a_job_without_failures_has_nothing_to_be_read_and_is_reported(steps: Any):
    steps.accepted("good")
    steps.ledger.end("good", "complete", {"total": 2, "completed": 2, "failed": 0})

    Read().publish(steps.job("good"), JOB_KINDS[NAME], 0.0)

    assert steps.asked == []
    assert steps.collected == ["good"]


def test_the_last_step_of_a_job_has_the_jobs_own_id(steps: Any, monkeypatch: pytest.MonkeyPatch):
    published = []

    def named(task_id: str) -> Any:
        return SimpleNamespace(apply_async=lambda: published.append(task_id))

    monkeypatch.setattr(read, "registered", lambda name: SimpleNamespace(si=lambda: SimpleNamespace(set=named)))

    publish_last_step(steps.job())

    assert published == ["job"]


def test_errors_that_are_not_there_are_asked_for_again_before_they_count_as_expired(steps: Any):
    about, gone = Reading("job", NAME), NotFound("x", "default", 404, [])

    for _ in range(1, NOT_FOUND_BELIEVED_AFTER):
        Read().failed(gone, {}, "default", about)
        assert steps.collected == []
        about = steps.asked.pop().about
    Read().failed(gone, {}, "default", about)

    assert (steps.job().status, steps.collected) == ("expired", ["job"])


@pytest.mark.parametrize(
    ("error", "status"), [(Gone("x", "default", 410, []), "expired"), (Unavailable("x", "default", "no"), "complete")]
)
def test_a_job_whose_errors_cannot_be_read_is_reported_all_the_same(steps: Any, error: Exception, status: str):
    Read().failed(error, {}, "default", Reading("job", NAME))  # type: ignore[arg-type]

    assert (steps.job().status, steps.collected) == (status, ["job"])
