"""Calls that asked for it travel as the records of one job, and each ends as the job tells of its record."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.jobs import carried, settle
from tasks.jobs.carried import TellCalls, open_job
from tests.worker.together.travelers import Killed, Travelers
from worker.errors import JobCancelled, SettingsError
from worker.one_per_process import forget
from worker.together import riding

CARRIER = "bulk_import_profiles"


@pytest.fixture
def travelers(settings: Any, client: Any, steps: Any, monkeypatch: pytest.MonkeyPatch) -> Travelers:
    forget()
    made = Travelers(client, monkeypatch)
    monkeypatch.setattr(riding, "remind", steps.reminders.set)
    monkeypatch.setattr(riding, "see_to", lambda reminders: [open_job(each.partition("|")[2]) for each in reminders])
    for module in (carried, settle):
        monkeypatch.setattr(module, "get_ledger", lambda: steps.ledger)
        monkeypatch.setattr(module, "go_on", lambda *ids, **_: steps.gone_on.extend(ids))
    monkeypatch.setattr(carried, "remind", steps.reminders.set)
    monkeypatch.setattr(settle, "has_ended", lambda id: False)
    return made


def profile(travelers: Travelers, number: int, name: str = "create_profile", **more: Any) -> None:
    params = {"email": f"p{number}@example.com", "first_name": "Ada", **more}
    travelers.call(name, f"c{number}", together=True, **params)


def handed_over(travelers: Travelers, steps: Any, count: int = 12) -> str:
    """So many calls wait, and one job has them."""
    travelers.governor.beat("worker", 0, [], 1)
    for number in range(count):
        profile(travelers, number)
    travelers.governor.beat("worker", 8, ["klaviyo.l", "klaviyo.m", "klaviyo.xl"], 10**6)
    travelers.work()
    [carrier] = [each.decode() for each in travelers.client.hkeys("klaviyo:riding")]
    return carrier


def end(steps: Any, carrier: str, monkeypatch: pytest.MonkeyPatch, status: str = "complete", **how: Any) -> Any:
    """Klaviyo has done with the job, and its last step runs."""
    assert steps.ledger.mark_sending(carrier, 1, "holder")
    steps.ledger.accept(carrier, "K1", own=True)
    steps.ledger.end(carrier, status, **how)
    monkeypatch.setattr(TellCalls, "task_id", carrier)
    return TellCalls().run()


def test_calls_that_wait_become_the_records_of_one_job(travelers, steps):
    carrier = handed_over(travelers, steps)

    job = steps.job(carrier)
    assert (job.kind, job.items, job.state) == (CARRIER, 12, "spawning")
    assert travelers.klaviyo.requests == []
    assert steps.gone_on == [carrier]


def test_their_windows_are_free_while_the_job_goes_on(travelers, steps):
    handed_over(travelers, steps)

    assert travelers.client.hget("klaviyo:bucket:default:bulk_import_profiles", "flight") == b"0"
    assert travelers.client.zcard("klaviyo:claimed") == 0


def test_each_call_ends_with_the_job(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    end(steps, carrier, monkeypatch)

    good = {"data": None, "error": None, "successful": True, "job_id": "K1"}
    assert [travelers.outcome(f"c{number}") for number in range(12)] == [good] * 12
    assert not travelers.left()
    assert steps.job(carrier).state == "settled"


def test_a_record_that_failed_goes_alone(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    end(steps, carrier, monkeypatch, counters={"failed": 1}, errors=[{"index": 3, "detail": "Bad."}])

    travelers.work()
    assert travelers.klaviyo.requests == [("create_profile", 1)]
    assert travelers.outcome("c3")["data"]["id"] == "01"
    assert travelers.outcome("c4")["job_id"] == "K1"


def test_where_the_job_does_not_say_whose_record_failed_all_go_alone(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    end(steps, carrier, monkeypatch, counters={"failed": 1})
    travelers.work()

    assert travelers.klaviyo.requests == [("create_profile", 1)] * 12


def test_each_call_of_a_job_that_did_not_end_well_ends_with_it(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    with pytest.raises(JobCancelled):
        end(steps, carrier, monkeypatch, "cancelled")
    travelers.work()

    assert {type(travelers.outcome(f"c{number}")) for number in range(12)} == {JobCancelled}


def test_a_refusal_that_points_at_nothing_is_sent_again_in_halves(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)
    refused = {"type": "BadRequest", "args": [CARRIER, "default", 400, [{"detail": "Bad."}]]}
    steps.ledger.end(carrier, "refused", failure=refused)
    monkeypatch.setattr(TellCalls, "task_id", carrier)

    with pytest.raises(Exception, match="Bad"):
        TellCalls().run()
    steps.gone_on.clear()
    travelers.work()

    halves = [steps.job(each).items for each in set(steps.gone_on) - {carrier}]
    assert halves
    assert set(halves) == {6}


@pytest.mark.parametrize("dies", [(2, "before"), (2, "after"), (3, "before"), (3, "after")])
def test_a_worker_that_dies_in_between_loses_and_doubles_nothing(travelers, steps, monkeypatch, dies):
    travelers.governor.beat("worker", 0, [], 1)
    for number in range(12):
        profile(travelers, number)
    travelers.governor.beat("worker", 8, ["klaviyo.l", "klaviyo.m", "klaviyo.xl"], 10**6)
    travelers.mortal.dies = dies
    with pytest.raises(Killed):
        travelers.work()
    travelers.mortal.dies = None
    travelers.restore()
    steps.wait(61)
    for reminder in steps.reminders.overdue(60):
        open_job(reminder.partition("|")[2])
    for _ in range(3):
        travelers.work(80)

    [carrier] = [each.decode() for each in travelers.client.hkeys("klaviyo:riding")]
    end(steps, carrier, monkeypatch)

    assert all(travelers.outcome(f"c{number}")["job_id"] == "K1" for number in range(12))


def test_calls_of_a_job_that_was_withdrawn_go_alone(travelers, steps):
    carrier = handed_over(travelers, steps)
    steps.ledger.withdraw(carrier, {"status": "revoked", "id": None})

    open_job(carrier)
    travelers.work()

    assert travelers.klaviyo.requests == [("create_profile", 1)] * 12
    assert steps.reminders.overdue(1) == []


@pytest.mark.parametrize("gone", range(2))
def test_calls_whose_account_is_gone_meanwhile_fail_with_that_reason(travelers, steps, monkeypatch, gone):
    carrier = handed_over(travelers, steps)
    key = f"klaviyo:riders:{carrier}"
    for place, each in enumerate(travelers.client.lrange(key, 0, -1)[gone:], start=gone):
        travelers.client.lset(key, place, each.replace(b'"account":"default"', b'"account":"nobody"'))

    end(steps, carrier, monkeypatch)
    open_job(carrier)
    travelers.work_all()

    ends = [travelers.outcome(f"c{number}") for number in range(12)]
    assert all(isinstance(each, SettingsError) for each in ends[gone:])
    assert all(each["data"]["id"] == "01" for each in ends[:gone])
    assert not travelers.left()


def test_calls_whose_account_is_gone_before_the_job_is_opened_fail_with_that_reason(travelers, steps, monkeypatch):
    monkeypatch.setattr(riding, "see_to", lambda reminders: None)
    carrier = handed_over(travelers, steps)
    key = f"klaviyo:riders:{carrier}"
    for place, each in enumerate(travelers.client.lrange(key, 0, -1)):
        travelers.client.lset(key, place, each.replace(b'"account":"default"', b'"account":"nobody"'))

    open_job(carrier)
    travelers.work_all()

    assert all(isinstance(travelers.outcome(f"c{number}"), SettingsError) for number in range(12))
    assert not travelers.left()


def test_a_call_that_is_revoked_meanwhile_ends_as_the_job_says(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    travelers.governor.revoke("c1", "no longer wanted")
    assert not travelers.governor.withdraw("c1", "celery-task-meta-c1", b"{}", 10)
    end(steps, carrier, monkeypatch)

    assert travelers.outcome("c1")["job_id"] == "K1"


def test_a_call_that_did_not_ask_for_it_goes_alone(travelers, steps):
    travelers.governor.beat("worker", 0, [], 1)
    for number in range(12):
        travelers.call("create_profile", f"c{number}", email=f"p{number}@example.com")
    travelers.governor.beat("worker", 8, ["klaviyo.l", "klaviyo.m"], 10**6)

    travelers.work()

    assert travelers.klaviyo.requests == [("create_profile", 1)] * 12


def test_a_purge_leaves_alone_what_klaviyo_has(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)

    assert travelers.governor.purge("klaviyo.m") == travelers.governor.purge("klaviyo.l") == 0
    end(steps, carrier, monkeypatch)

    assert travelers.outcome("c1")["job_id"] == "K1"


def test_only_those_of_the_same_person_wait_until_the_job_has_ended(travelers, steps, monkeypatch):
    carrier = handed_over(travelers, steps)
    profile(travelers, 100, email="p3@example.com")
    profile(travelers, 101, email="p3@example.com", first_name="Grace")
    travelers.call("create_profile", "alone", email="other@example.com")
    profile(travelers, 102, email="third@example.com")
    travelers.call("create_profile", "late", lane="bulk", email="fourth@example.com")

    travelers.work(1)
    assert all(travelers.outcome(each)["successful"] for each in ("alone", "c102", "late"))
    assert travelers.governor.count() == 2

    end(steps, carrier, monkeypatch)
    travelers.work_all(step=0.2)
    assert [each for each in travelers.ends if each in ("c100", "c101")] == ["c100", "c101"]
