"""How the end of a job is told: as a result, as an error, as the report of an import."""

from dataclasses import replace

import pytest

from tasks.jobs import JOB_KINDS
from tasks.jobs.ledger import Job
from tasks.jobs.outcome import job_outcome, outcome_error, result_data
from worker.errors import BadRequest, JobCancelled, JobExpired, JobTimedOut, JobVanished

KIND = JOB_KINDS["bulk_import_profiles"]
JOB = Job(
    id="R-1", state="ended", kind=KIND.name, account="default", lane="now", run="R", rows="11-13,20", items=4, once="",
    tries=0, opened=0.0, sent=1.0, accepted=2.0, ended=12.5, settled=None, job_id="K1", status="complete", polled_ms=0,
    counters={"total": 4, "completed": 4, "failed": 0}, outcome=None, continuation=None, failure=None,
)  # fmt: skip


def end(job, told=(), listed=()):
    told = list(told)
    return job_outcome(job, result_data(job, KIND, told), told, list(listed))


def test_an_outcome_has_status_counters_errors_and_seconds():
    failed = replace(JOB, counters={"total": 4, "completed": 3, "failed": 1})

    found = result_data(failed, KIND, [{"index": 2, "detail": "no", "sent": {"email": "ada@example.com"}}])

    assert found == {
        "type": "job", "id": "K1", "kind": KIND.name, "account": "default", "status": "complete", "total": 4,
        "completed": 3, "failed": 1, "seconds": 10.5, "errors": [{"index": 2, "detail": "no"}],
    }  # fmt: skip
    assert outcome_error(found) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [("cancelled", JobCancelled), ("vanished", JobVanished), ("stuck", JobTimedOut), ("expired", JobExpired)],
)
def test_every_bad_end_is_an_error_with_a_sentence(status, error):
    raised_ = outcome_error(result_data(replace(JOB, status=status), KIND, []))

    assert type(raised_) is error
    assert "K1" in str(raised_)
    assert str(raised_).endswith(".")


def test_what_klaviyo_refused_is_raised_as_the_action_would():
    arguments = [KIND.name, "default", 400, [{"detail": "Invalid."}]]

    found = result_data(replace(JOB, status="refused", failure={"type": "BadRequest", "args": arguments}), KIND, [])

    assert isinstance(outcome_error(found), BadRequest)


def test_a_job_of_no_import_counts_nothing():
    assert end(replace(JOB, run="")).landed == 0


def test_failed_records_are_mapped_back_to_their_rows():
    told = [{"index": 3, "detail": "Refused.", "sent": {"a": 1}}, {"name": "X2", "detail": "exists"}]
    listed = [{"attributes": {"external_id": f"X{n}"}} for n in range(4)]

    found = end(replace(JOB, counters={"total": 4, "completed": 2, "failed": 2}), told, listed)

    assert [(each["row"], each["reason"]) for each in found.rejects] == [(13, "exists"), (20, "Refused")]
    assert [each["sent"] for each in found.rejects] == [listed[2], {"a": 1}]
    assert (found.landed, found.rejected, found.unknown) == (2, 2, 0)


def test_failures_that_klaviyo_does_not_tell_are_counted_as_unknown():
    found = end(replace(JOB, counters={"total": 4, "completed": 1, "failed": 3}), [{"index": 0, "detail": "no"}])

    assert (found.landed, found.rejected, found.unknown) == (1, 1, 2)
    assert "2 more failed among rows 11-13,20" in found.rejects[-1]["reason"]


def test_klaviyo_may_count_more_failures_than_there_are_records():
    told = [{"index": place, "detail": "no"} for place in range(4)]

    for known in (told, told[:1]):
        found = end(replace(JOB, counters={"total": 4, "completed": 0, "failed": 5}), known)

        assert (found.landed, found.rejected, found.unknown) == (0, len(known), 4 - len(known))


def test_an_error_that_points_beyond_the_records_is_about_none_that_can_be_named():
    found = end(replace(JOB, counters={"total": 4, "completed": 3, "failed": 1}), [{"index": 4, "detail": "no"}])

    assert (found.landed, found.rejected, found.unknown) == (3, 0, 1)


def test_the_outcome_of_a_cancelled_part_is_unknown():
    found = end(replace(JOB, status="cancelled", counters={"total": 4, "completed": 2}))

    assert (found.landed, found.rejected, found.unknown) == (0, 0, 4)
    assert [each["row"] for each in found.rejects] == [11, 12, 13, 20]


def test_a_part_that_was_split_is_counted_with_its_halves():
    assert (end(replace(JOB, status="split")).landed, end(replace(JOB, status="split")).rejects) == (0, ())


def test_what_is_accepted_has_landed():
    assert end(replace(JOB, status="accepted", counters={})).landed == 4
