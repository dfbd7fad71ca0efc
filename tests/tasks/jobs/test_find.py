"""A job whose spawning was not answered: which of Klaviyo's is taken for it, and when it is sent again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.jobs.find import CLOCK_SKEW_S, Find, Search
from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import Job
from worker.errors import NotFound
from worker.settings import get_settings

NAME = "bulk_import_profiles"


def theirs(id: str, made: float, **counts: int) -> dict[str, Any]:
    """One of Klaviyo's jobs, made at a time in seconds since 1970."""
    told = {"status": "complete", "created_at": datetime.fromtimestamp(made, UTC).isoformat(), **counts}
    return {"type": "profile-bulk-import-job", "id": id, "attributes": {"total_count": 2, "completed_count": 2, **told}}


def listed(steps: Any, *found: dict[str, Any]) -> None:
    """The list of Klaviyo's jobs, as the search for ours gets it."""
    Find().answered({"data": list(found)}, {}, "default", Search("job", NAME))


def listed_again(steps: Any, *found: dict[str, Any]) -> None:
    """The list that is read some time after the first one, as that search gets it."""
    about = steps.asked.pop().about
    assert not about.candidate
    Find().answered({"data": list(found)}, {}, "default", about)


def told(steps: Any, *emails: str) -> None:
    """The records that the job which is looked into tells."""
    about = steps.asked.pop().about
    people = [{"type": "profile", "id": email, "attributes": {"email": email}} for email in emails]
    Find().answered({"data": people}, {}, "default", about)


@pytest.fixture
def job(steps: Any) -> Job:
    found: Job = steps.sent()
    assert found.sent is not None
    return found


def test_the_job_whose_records_are_ours_is_ours(steps: Any, job: Job):
    listed(steps, theirs("K1", job.sent or 0))
    told(steps, "ada@example.com", "BOB@example.com")

    assert (steps.job().state, steps.job().job_id) == ("accepted", "K1")


def test_a_job_that_shares_a_record_with_ours_is_not_taken_for_it(steps: Any, job: Job):
    listed(steps, theirs("K1", job.sent or 0))
    told(steps, "ada@example.com", "eve@example.com")
    listed_again(steps)

    assert (steps.job().state, steps.job().tries) == ("spawning", 1)


def test_a_job_that_tells_no_record_is_not_taken_for_ours(steps: Any, job: Job):
    listed(steps, theirs("K1", job.sent or 0))
    told(steps)
    listed_again(steps)

    assert (steps.job().state, steps.job().tries) == ("spawning", 1)


def test_a_job_from_before_ours_was_sent_is_not_looked_into(steps: Any, job: Job):
    listed(steps, theirs("K1", (job.sent or 0) - CLOCK_SKEW_S - 1), theirs("K2", (job.sent or 0) - CLOCK_SKEW_S + 1))

    assert [each.about.candidate for each in steps.asked] == ["K2"]


def test_a_job_of_another_size_is_not_looked_into(steps: Any, job: Job):
    listed(steps, theirs("K1", job.sent or 0, total_count=3))

    assert [each.about.candidate for each in steps.asked] == [""]


def test_a_job_that_is_known_as_another_of_ours_is_not_looked_into(steps: Any, job: Job):
    steps.accepted("other")

    listed(steps, theirs("K-other", job.sent or 0))

    assert [each.about.candidate for each in steps.asked] == [""]


def test_a_job_that_is_not_listed_yet_is_searched_for_once_more_before_it_is_sent_again(steps: Any, job: Job):
    listed(steps)

    assert steps.job().sent, "it may be sent again though it was searched for only once"
    assert [each.after for each in steps.asked] == [get_settings().read_timeout]

    listed_again(steps, theirs("K1", job.sent or 0))
    told(steps, "ada@example.com", "bob@example.com")

    assert (steps.job().state, steps.job().job_id) == ("accepted", "K1")


def test_a_job_without_records_yet_is_searched_for_a_second_time_only_once(steps: Any, job: Job):
    listed(steps)
    listed_again(steps, theirs("K1", job.sent or 0, status="queued", completed_count=0))
    listed_again(steps)

    assert (steps.job().sent, steps.asked, steps.gone_on) == (None, [], ["job"])


def test_a_job_is_not_searched_for_for_ever_among_those_that_show_no_records(steps: Any, job: Job):
    queued = theirs("K1", job.sent or 0, status="queued", completed_count=0)
    listed(steps, queued)
    steps.wait(JOB_KINDS[NAME].deadline_s + 1)

    listed_again(steps, queued)

    ended = steps.job()
    assert (ended.state, ended.status, steps.asked) == ("ended", "unknown", [])
    assert "has shown no records" in str(ended.failure["args"])


def test_a_job_that_is_nowhere_is_sent_again(steps: Any, job: Job):
    listed(steps)
    listed_again(steps)

    assert (steps.job().sent, steps.gone_on) == (None, ["job"])


def test_a_campaign_whose_send_is_not_found_is_never_sent_again(steps: Any):
    steps.sent("job", "send_campaign", once="the campaign's status")
    gone = NotFound("get_campaign_send_job", "default", 404, [])

    Find().failed(gone, {}, "default", Search("job", "send_campaign", candidate="C1"))

    assert steps.job().state == "spawning"
    assert [each.params for each in steps.asked] == [{"id": "C1"}]

    Find().failed(gone, {}, "default", steps.asked.pop().about)

    ended = steps.job()
    assert (ended.state, ended.status) == ("ended", "unknown")
    assert ended.failure["type"] == "OutcomeUnknown"
