"""Asynchronous jobs, followed to their true end by real workers."""

from __future__ import annotations

import pytest
from celery import chord

from tasks.campaigns import create_campaign, refresh_campaign_recipient_estimation, send_campaign
from tasks.catalog_items import bulk_create_catalog_items
from tasks.coupons import bulk_create_coupon_codes, create_coupon
from tasks.events import bulk_create_events
from tasks.jobs import run_job
from tasks.lists import add_profiles_to_list, create_list
from tasks.profiles import bulk_import_profiles, bulk_suppress_profiles, create_profile
from tests.live.system import stretched, until
from worker.app import app

#: What was sent and may not be repeated is looked for until its lease has run out, which lasts as long as all timeouts.
WORKER = {"READ_TIMEOUT": 1}

IMPORT = "profile-bulk-import-job"


def people(number, domain="example.com"):
    return [{"email": f"p{n}@{domain}"} for n in range(number)]


def items(number, first=0):
    return [
        {"external_id": f"i{n}", "title": f"Item {n}", "description": "…", "url": f"https://example.com/{n}"}
        for n in range(first, first + number)
    ]


def outcome(system, task, seconds=30):
    return system.end_of(task.id, seconds)


def test_a_job_is_one_result_with_its_counters_and_every_error(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)

    task = run_job(bulk_import_profiles).delay(profiles=[*people(30), *people(45, "reject.example")])
    data = outcome(idle, task).result["data"]

    assert (data["status"], data["total"], data["completed"], data["failed"]) == ("complete", 75, 30, 45)
    assert [each["index"] for each in data["errors"]] == list(range(30, 75))
    assert len(idle.sandbox.ledger("get_errors_for_bulk_import_profiles_job")) == 1
    assert data["seconds"] > 0
    assert idle.sandbox.state()["profile"] == 30


def test_a_look_at_jobs_that_klaviyo_does_not_answer_is_made_again(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    looked = "get_bulk_import_profiles_jobs"
    # One more, and the shared worker would give the request up; the watcher would begin anew a minute later.
    for fault in ({"kind": "status", "status": 503}, {"kind": "malformed"}):
        idle.sandbox.fault(**fault, operation=looked, times=1)

    task = run_job(bulk_import_profiles).delay(profiles=people(3))

    assert outcome(idle, task).result["data"]["completed"] == 3
    assert idle.sandbox.state()["profile"] == 3


def test_a_catalog_job_tells_its_errors_itself(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)

    task = run_job(bulk_create_catalog_items).delay(items=[*items(3), {**items(1, 9)[0], "external_id": "reject-1"}])
    data = outcome(idle, task).result["data"]

    assert (data["status"], data["completed"], data["failed"]) == ("complete", 3, 1)
    assert [(each["index"], each["name"]) for each in data["errors"]] == [(3, "reject-1")]


def test_what_has_no_status_ends_as_accepted(idle):
    event = {"metric": "Placed Order", "properties": {}}

    task = run_job(bulk_create_events).delay(events=[{"profile": {"email": "ada@example.com"}, "events": [event]}])
    data = outcome(idle, task).result["data"]

    assert (data["status"], data["id"]) == ("accepted", None)
    assert idle.sandbox.state()["event"] == 1


def test_a_suppression_counts_whom_it_skipped(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    create_profile(email="p0@example.com")

    task = run_job(bulk_suppress_profiles).delay(profiles=people(2))
    data = outcome(idle, task).result["data"]

    assert (data["status"], data["total"], data["completed"], data["skipped"]) == ("complete", 2, 1, 1)


@pytest.mark.parametrize(
    ("end", "error"), [("cancelled", "JobCancelled"), ("vanished", "JobVanished"), ("stuck", "JobTimedOut")]
)
def test_a_bad_end_has_a_name(system, end, error):
    system.worker(JOB_DEADLINE=3 if end == "stuck" else 60).ready()
    system.sandbox.jobs(seconds=1, outcome=end, times=None)

    task = run_job(bulk_import_profiles).delay(profiles=people(10))

    assert outcome(system, task).error == error


def test_errors_that_have_expired_are_an_end_with_a_name(idle):
    idle.sandbox.jobs(seconds=0.2, fail_share=0.5, expires=600, times=None)
    idle.sandbox.fault("status", operation="get_errors_for_bulk_import_profiles_job", status=404, times=None)

    task = run_job(bulk_import_profiles).delay(profiles=people(10))

    assert outcome(idle, task).error == "JobExpired"


def test_what_klaviyo_refuses_fails_as_the_action_would(idle):
    task = run_job(bulk_import_profiles).delay(profiles=[{"email": "malformed"}])
    end = outcome(idle, task)

    assert end.error == "BadRequest"
    assert end.arguments[3][0]["source"]["pointer"].startswith("/data/attributes/profiles/data/0/")


def test_a_job_waits_for_a_slot_under_klaviyos_cap(idle):
    idle.sandbox.jobs(seconds=0.5, times=None)
    idle.sandbox.jobs(caps={"coupon-code-bulk-create-job": 2}, times=None)
    create_coupon(external_id="SAVE", description="…")

    codes = [[{"unique_code": f"C{n}", "coupon_id": "SAVE"}] for n in range(6)]
    tasks = [run_job(bulk_create_coupon_codes).delay(coupon_codes=each) for each in codes]
    ends = idle.ended([task.id for task in tasks], 60)

    assert {end.result["data"]["status"] for end in ends.values()} == {"complete"}
    assert idle.sandbox.state()["coupon-code"] == 6


def audience():
    audience = create_list(name="VIP")["data"]["id"]
    person = create_profile(email="ada@example.com")["data"]["id"]
    add_profiles_to_list(list_id=audience, profile_ids=[person])
    return audience


def campaign(audience):
    message = {"definition": {"channel": "email", "content": {"subject": "Hello"}}}
    return {"name": "Spring", "audiences": {"included": [audience]}, "campaign_messages": [message]}


def test_a_campaign_is_created_estimated_and_sent_as_one_chain(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)

    estimate, send = run_job(refresh_campaign_recipient_estimation), run_job(send_campaign)
    sent = (create_campaign.si(**campaign(audience())) | estimate.s() | send.s()).delay()
    data = sent.get(timeout=120)["data"]

    estimated = sent.parent.get(timeout=120)["data"]
    assert estimated["result"]["estimated_recipient_count"] == 1
    assert (data["status"], data["id"]) == ("complete", estimated["id"])
    assert idle.sandbox.state()["doubled_sends"] == 0


def test_a_send_whose_answer_was_lost_is_followed_and_not_repeated(idle):
    idle.sandbox.jobs(seconds=0.2, times=None)
    made = create_campaign(**campaign(audience()))["data"]["id"]
    idle.sandbox.fault("cut_after_commit", operation="send_campaign")

    data = outcome(idle, run_job(send_campaign).delay(id=made)).result["data"]

    assert (data["status"], data["id"]) == ("complete", made)
    assert len(idle.sandbox.ledger("send_campaign")) == 1


def test_a_send_that_did_not_arrive_is_told_and_not_repeated(idle):
    made = create_campaign(**campaign(audience()))["data"]["id"]
    idle.sandbox.fault("status", operation="send_campaign", status=503)

    end = outcome(idle, run_job(send_campaign).delay(id=made))

    assert end.error == "OutcomeUnknown"
    assert len(idle.sandbox.ledger("send_campaign")) == 1


def test_a_spawn_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(idle):
    idle.sandbox.jobs(seconds=0.5, times=None)
    idle.sandbox.fault("cut_after_commit", operation="bulk_import_profiles")
    idle.sandbox.fault("status", operation="bulk_import_profiles", status=503)
    idle.sandbox.fault("malformed", operation="bulk_import_profiles")

    tasks = [run_job(bulk_import_profiles).delay(profiles=[{"email": f"{name}@example.com"}]) for name in "abcd"]
    ends = idle.ended([task.id for task in tasks], 30)

    assert {end.result["data"]["completed"] for end in ends.values()} == {1}
    state = idle.sandbox.state()
    assert (state["doubled_jobs"], state["profile"], state[IMPORT]) == (0, 4, 4)


def test_jobs_can_be_the_members_of_a_chord(idle):
    idle.sandbox.jobs(seconds=0.3, times=None)
    jobs = [run_job(bulk_import_profiles).si(profiles=[{"email": f"{name}@example.com"}]) for name in "abc"]

    counted = chord(jobs, app.tasks["celery.accumulate"].s()).delay()

    assert [each["data"]["completed"] for each in counted.get(timeout=120)[0]] == [1, 1, 1]


def test_another_code_base_can_begin_a_job(idle, foreign):
    sent = foreign.send_task(
        "klaviyo.job", kwargs={"kind": "bulk_import_profiles", "params": {"profiles": people(2)}}, queue="klaviyo"
    )

    assert outcome(idle, sent).result["data"]["completed"] == 2


def test_flower_learns_each_state_of_a_job(system, events):
    system.worker().ready()
    system.sandbox.jobs(seconds=5 + stretched(1), times=None)  # it is looked at on its way

    task = run_job(bulk_import_profiles).delay(profiles=people(5))
    system.end_of(task.id)

    def told():
        kinds = ("task-spawning", "task-accepted", "task-processing", "task-succeeded")
        return [each["type"] for each in events if each.get("uuid") == task.id and each["type"] in kinds]

    # Each is sent by the thread that has seen it: on a busy machine one may overtake another.
    until(lambda: len(told()) >= 4, 10, lambda: f"an event of each state: {told()}")
    assert sorted(told()) == ["task-accepted", "task-processing", "task-spawning", "task-succeeded"]
