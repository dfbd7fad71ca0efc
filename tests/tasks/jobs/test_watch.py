"""Jobs that are watched: what a look makes of those that are there, of those that are not, and when it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import group
from tasks.jobs.watch import NOT_FOUND_BELIEVED_AFTER, GroupPoll, JobPoll, PollJob, Watch
from worker.errors import NotFound

NAME = "bulk_import_profiles"
KIND, GROUP = JOB_KINDS[NAME], group("default", NAME)
GONE = NotFound("get_bulk_import_profiles_job", "default", 404, [])


def in_progress(steps: Any, *jobs: str, token: str = "token") -> None:
    """A look at the group, by the watcher with this token, finds these of our jobs in progress."""
    found = [
        {"type": "profile-bulk-import-job", "id": f"K-{each}", "attributes": {"status": "processing"}} for each in jobs
    ]
    Watch().answered({"data": found}, {}, "default", GroupPoll(NAME, token, steps.ms))


@pytest.fixture(autouse=True)
def watcher(steps: Any):
    steps.ledger.watch(GROUP, "token", 300)


def looked_at(steps: Any) -> list[str]:
    """The jobs that are asked for by themselves."""
    return [each.about.job for each in steps.asked if isinstance(each.about, JobPoll)]


def test_what_the_list_no_longer_has_is_asked_for_by_itself(steps: Any):
    steps.accepted("one")
    steps.accepted("two")
    steps.wait(5)

    in_progress(steps, "one")

    assert steps.job("one").state == "processing"
    assert looked_at(steps) == ["two"]


def test_a_job_that_was_accepted_during_a_look_is_not_missed_in_it(steps: Any):
    began = steps.ms
    steps.wait(1)
    steps.accepted("late")

    Watch().answered({"data": []}, {}, "default", GroupPoll(NAME, "token", began))

    assert looked_at(steps) == []


def test_a_watcher_that_was_replaced_looks_no_further(steps: Any):
    steps.accepted()
    steps.wait(5)
    steps.ledger.watch(GROUP, "another", 300, takeover=True)

    in_progress(steps, "job")

    assert steps.asked == []
    assert steps.job().state == "accepted"


def test_a_watcher_goes_on_until_klaviyo_has_no_job_of_its_group(steps: Any):
    steps.accepted()
    steps.wait(5)

    in_progress(steps, "job")
    [look] = steps.asked
    steps.ledger.end("job", "complete")
    in_progress(steps, token=look.about.token)

    assert steps.asked == [look]


def test_a_job_that_is_not_there_is_asked_for_again_before_it_is_given_up(steps: Any):
    steps.accepted()
    about = JobPoll("job", NAME, until_over=False)

    for gone in range(1, NOT_FOUND_BELIEVED_AFTER):
        PollJob().failed(GONE, {}, "default", about)
        assert steps.job().state == "accepted"
        about = steps.asked.pop().about
        assert about.not_found == gone
    PollJob().failed(GONE, {}, "default", about)

    assert (steps.job().state, steps.job().status) == ("ended", "vanished")


def test_a_job_past_its_deadline_is_given_up(steps: Any):
    steps.accepted()
    steps.wait(KIND.deadline_s - 1)
    in_progress(steps, "job")
    assert steps.job().state == "processing"

    steps.wait(2)
    steps.ledger.watch(GROUP, "token", 300, takeover=True)
    in_progress(steps, "job")

    assert (steps.job().state, steps.job().status) == ("ended", "stuck")
