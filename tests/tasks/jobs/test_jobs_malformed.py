"""Each step of a job with answers that are not well formed: it goes on, or ends in one of our errors."""

from __future__ import annotations

from dataclasses import asdict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.jobs import JOB_KINDS, find, next_step, read, spawn, watch
from tasks.jobs.find import Find, Search
from tasks.jobs.import_runs import Runs
from tasks.jobs.isolate import isolate
from tasks.jobs.ledger import Job, Ledger, group
from tasks.jobs.outcome import job_outcome, outcome_error, result_data
from tasks.jobs.read import Read, Reading
from tasks.jobs.records import describe_error
from tasks.jobs.spawn import Spawn
from tasks.jobs.watch import GroupPoll, JobPoll, PollJob, Watch
from tests.malformed import answered, malformed, many, page, read_or_told
from worker.api.jsonapi import Request, interpret
from worker.errors import BadRequest, Malformed
from worker.reminders import Reminders
from worker.steps import AskingStep

pytestmark = pytest.mark.soak

NAME = "bulk_import_profiles"
KIND, GROUP = JOB_KINDS[NAME], group("default", NAME)
SENT = [{"type": "profile", "attributes": {"email": f"ada{n}@example.com"}} for n in range(4)]
BODY = {"data": {"type": "x", "attributes": {"profiles": {"data": SENT}}}}
REQUEST = Request("POST", "/api/profile-bulk-import-jobs", {}, orjson.dumps(BODY))
COUNTS = {"total_count": 4, "completed_count": 2, "failed_count": 2}
TOLD = {
    "code": "invalid", "title": "Invalid.", "detail": "No such number.", "original_payload": SENT[1],
    "source": {"pointer": "/data/attributes/profiles/data/1/attributes/phone_number"}, "meta": {"external_id": "X1"},
}  # fmt: skip
JOB = {
    "type": "profile-bulk-import-job", "id": "K1",
    "attributes": {**COUNTS, "status": "complete", "created_at": "2023-11-14T22:13:20+00:00", "errors": [TOLD]},
}  # fmt: skip
ERROR = {"type": "import-error", "id": "E1", "attributes": TOLD}
REFUSAL = {
    "errors": [{"id": "e", "detail": "No.", "source": {"pointer": "/data/attributes/profiles/data/1/attributes"}}]
}


@pytest.fixture
def ledger(client, monkeypatch):
    """A ledger for all steps, which publish nothing."""
    made = Ledger(client)
    for module in (find, next_step, read, spawn, watch):
        monkeypatch.setattr(module, "get_ledger", lambda: made)
        if hasattr(module, "show_state"):
            monkeypatch.setattr(module, "show_state", lambda *_, **__: None)
    monkeypatch.setattr("tasks.jobs.isolate.get_ledger", lambda: made)
    monkeypatch.setattr("tasks.jobs.isolate.get_runs", lambda: Runs(client))
    for place in ("tasks.jobs.read", "tasks.jobs.spawn", "worker.steps"):
        monkeypatch.setattr(f"{place}.published", lambda publish: None)
    monkeypatch.setattr("worker.reminders.get_reminders", lambda: Reminders(client))
    monkeypatch.setattr(AskingStep, "ask", lambda *_, **__: None)
    return made


def opened(ledger, state, name=NAME):
    """One job in this state, and no other."""
    ledger._client.flushall()
    ledger.open("job", name, "default", REQUEST, items=4, rows="1-4", run="R")
    ledger.mark_sending("job", 75_000, "holder")
    if state != "spawning":
        ledger.accept("job", "K1", own=True)
    if state == "ended":
        ledger.end("job", "complete", {"total": 4, "failed": 2})
    return ledger.job("job")


def holds(document, carry_out, status=200):
    """Whatever of the answer is changed, this step reads it, or one of our errors tells why not."""

    @many
    @given(malformed(document))
    def one(changed):
        envelope = answered(changed, status)
        if envelope is not None:
            with read_or_told():
                carry_out(envelope)

    one()


@pytest.mark.parametrize("part", [0, 1])
def test_a_look_at_a_group_reads_what_it_can(ledger, part):
    def look(envelope):
        opened(ledger, "accepted")
        ledger.watch(GROUP, "token", 300, takeover=True)
        Watch().answered(envelope, {}, "default", GroupPoll(NAME, "token", 1, part=part, pages_left=2))
        Ledger.jobs(ledger, ["job"])

    holds(page(JOB, {**JOB, "id": "K2"}), look)


@pytest.mark.parametrize("name", [NAME, "bulk_create_catalog_items", "refresh_campaign_recipient_estimation"])
def test_a_look_at_one_job_reads_what_it_can(ledger, name):
    def look(envelope):
        opened(ledger, "accepted", name)
        PollJob().answered(envelope, {}, "default", JobPoll("job", name, until_over=True))
        job = ledger.job("job")
        assert all(isinstance(count, int) and count >= 0 for count in job.counters.values())

    holds({"data": JOB}, look)


def test_a_page_of_a_jobs_errors_is_read_as_far_as_it_can_be(ledger):
    def keep(envelope):
        opened(ledger, "ended")
        Read().answered(envelope, {}, "default", Reading("job", NAME))
        kept, job = ledger.errors_of("job"), ledger.job("job")
        end = job_outcome(job, result_data(job, KIND, kept), kept, SENT)
        assert (end.landed, end.rejected + end.unknown) == (4 - end.rejected - end.unknown, 4 - end.landed)
        assert min(end.landed, end.rejected, end.unknown) >= 0

    holds(page(ERROR, {**ERROR, "id": "E2"}), keep)


def test_a_result_is_read_as_far_as_it_can_be(ledger):
    name = "refresh_campaign_recipient_estimation"

    def keep(envelope):
        opened(ledger, "ended", name)
        Read().answered(envelope, {}, "default", Reading("job", name))
        job = ledger.job("job")
        assert outcome_error(result_data(job, JOB_KINDS[name], ledger.errors_of("job"))) is None

    holds({"data": {"type": "x", "id": "C1", "attributes": {"estimated_recipient_count": 3}}}, keep)


@pytest.mark.parametrize("into", ["", "K1"])
@pytest.mark.parametrize("name", [NAME, "bulk_create_catalog_items", "bulk_create_coupon_codes", "send_campaign"])
def test_a_search_reads_what_it_can(ledger, name, into):
    def look(envelope):
        opened(ledger, "spawning", name)
        Find().answered(envelope, {}, "default", Search("job", name, into, candidates=[["K7", "contents"]]))

    holds(page(JOB, {**JOB, "id": "K2"}, included=[{**SENT[0], "id": "P1"}]), look)
    holds({"data": JOB}, look)


@pytest.mark.parametrize("name", [NAME, "bulk_delete_catalog_items", "send_campaign", "bulk_create_events"])
def test_what_klaviyo_has_accepted_is_not_sent_again_whatever_it_says(ledger, name):
    def accept(envelope):
        job = opened(ledger, "spawning", name)
        Spawn().handle_accepted(job, JOB_KINDS[name], envelope)
        after = ledger.job("job")
        assert after.sent
        assert after.state != "waiting"

    holds({"data": {**JOB, "attributes": {**JOB["attributes"], "status": "queued"}}}, accept, status=202)


def test_an_accepted_job_whose_id_is_unknown_is_looked_for(ledger, monkeypatch):
    sought = []
    monkeypatch.setattr(Find, "publish", lambda _, job, kind, after: sought.append(job.id))
    job = opened(ledger, "spawning")

    Spawn().handle_accepted(job, KIND, {"data": {"type": "profile-bulk-import-job", "id": None}})

    assert sought == ["job"]
    assert ledger.job("job").state == "spawning"


def test_a_refusal_that_is_not_well_formed_names_records_that_there_are(ledger):
    @many
    @given(malformed(REFUSAL))
    def one(changed):
        job = opened(ledger, "spawning")
        with pytest.raises(BadRequest) as caught:
            interpret("x", "default", 400, {}, orjson.dumps(changed), reads=False)
        told_of = {each for error in caught.value.errors for each in (error.get("source") or {}).values()}
        if told_of:
            isolate(job, KIND, caught.value)
            assert len(ledger.rejects_of("job")) <= 4

    one()


@many
@given(
    st.lists(malformed({"a": TOLD}).map(lambda each: each.get("a") if isinstance(each, dict) else each), max_size=6),
    st.sampled_from([-5, 0, 1, 3, 4, 5, 10**12, None]),
)
def test_an_import_never_counts_more_records_than_it_has(errors, failed):
    kept = [describe_error(each, KIND.path) for each in errors if isinstance(each, dict)]
    job = Job(
        id="R-1", state="ended", kind=NAME, account="default", lane="now", run="R", rows="11-14", items=4, once="",
        tries=0, opened=0.0, sent=1.0, accepted=2.0, ended=12.5, settled=None, job_id="K1", status="complete",
        polled_ms=0,
        counters={} if failed is None else {"failed": failed}, outcome=None, continuation=None, failure=None,
    )  # fmt: skip

    end = job_outcome(job, result_data(job, KIND, kept), kept, SENT)

    assert asdict(end)["landed"] + end.rejected + end.unknown == 4
    assert min(end.landed, end.rejected, end.unknown) >= 0
    assert {each["row"] for each in end.rejects} <= {11, 12, 13, 14}


class Pages(AskingStep):
    """A step whose answer leads to itself."""

    name = "test.pages"
    about = Reading

    def answered(self, envelope, params, account, about):
        raise Malformed("get_profiles", "the page names itself as the next one")

    def failed(self, error, params, account, about):
        self.failure = error


def test_a_step_whose_answer_cannot_be_read_fails_as_if_it_were_refused(monkeypatch):
    monkeypatch.setattr("worker.steps.carry_out", lambda call, request: {"data": []})
    for name in ("holder", "account", "task_id", "request"):
        monkeypatch.setattr(Pages, name, name)
    step = Pages()

    step.run(action="get_profiles", params={}, job="job", kind=NAME)

    assert isinstance(step.failure, Malformed)
