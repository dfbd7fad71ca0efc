"""What the ledger does with one job, however often and in whatever order it is told."""

import random
from dataclasses import replace

import pytest

from tasks.jobs.import_runs import Runs
from tasks.jobs.ledger import JobOutcome, Ledger, group, packed, unpacked
from worker.api.jsonapi import Request
from worker.reminders import Reminders

KIND, ACCOUNT = "bulk_import_profiles", "default"
GROUP = group(ACCOUNT, KIND)
REQUEST = Request("POST", "/api/profile-bulk-import-jobs", {}, b'{"data":{}}')
LEASE = 75_000


@pytest.fixture
def ledger(client, clock):
    return Ledger(client, clock=clock)


@pytest.fixture
def reminders(client, clock):
    return Reminders(client, clock=clock)


def opened(ledger, id="job", **how):
    """Open a job; the ids that may be spawned now."""
    return ledger.open(id, KIND, ACCOUNT, REQUEST, **{"items": 3, **how})[1]


def accepted(ledger, id="job", **how):
    opened(ledger, id, **how)
    assert ledger.mark_sending(id, LEASE, "holder")
    assert ledger.accept(id, f"K-{id}", own=True) == "ok"
    return id


def test_a_request_is_kept_as_it_is():
    request = Request("POST", "/api/x", {"company_id": "ABC123"}, b'{"a":1}\n', "application/json")

    assert unpacked(packed(request)) == request
    assert unpacked(packed(replace(request, body=None))).body is None


def test_a_job_goes_through_its_states_and_keeps_the_times(ledger, clock):
    assert opened(ledger) == ["job"]
    assert ledger.job("job").state == "spawning"
    ledger.mark_sending("job", LEASE, "holder")
    ledger.accept("job", "K1", own=True)
    clock.wait(4)
    ledger.record_poll("job", 1, "processing", {"total": 3})
    clock.wait(6)
    ledger.end("job", "complete", {"total": 3, "completed": 3})

    done, _ = ledger.settle("job", JobOutcome("complete", {"status": "complete"}))

    job = ledger.job("job")
    assert done
    assert (job.state, job.status, job.job_id, job.counters["completed"]) == ("settled", "complete", "K1", 3)
    assert job.seconds == 10
    assert ledger.durations(KIND) == [(10, 3)]


def test_a_known_job_is_not_opened_again(ledger):
    accepted(ledger)

    assert ledger.open("job", KIND, ACCOUNT, REQUEST) == (False, [])
    assert ledger.job("job").state == "accepted"


def test_a_job_that_waits_for_a_slot_is_found_with_its_stamps(ledger):
    ledger.open("first", KIND, ACCOUNT, REQUEST, cap=1)
    ledger.open("second", KIND, ACCOUNT, REQUEST, cap=1, stamps={"shop": ["eu"]})

    assert [(job.id, job.stamps) for job in ledger.waiting_jobs()] == [("second", {"shop": ["eu"]})]


def test_a_job_is_settled_once(ledger):
    accepted(ledger)
    ledger.end("job", "complete")
    ledger.settle("job", JobOutcome("complete", {}))

    assert ledger.settle("job", JobOutcome("cancelled", {})) == (False, [])
    assert ledger.job("job").status == "complete"


def test_a_job_that_may_be_on_its_way_is_not_sent_by_another(ledger, clock):
    opened(ledger)
    assert ledger.mark_sending("job", LEASE, "holder")

    assert not ledger.mark_sending("job", LEASE, "another")
    clock.wait(76)
    assert ledger.mark_sending("job", LEASE, "another")


def test_who_sends_a_job_may_say_so_again_when_the_reply_was_lost(ledger):
    opened(ledger)

    assert ledger.mark_sending("job", LEASE, "holder")
    assert ledger.mark_sending("job", LEASE, "holder")


def test_what_certainly_has_not_arrived_may_be_sent_again(ledger):
    opened(ledger)
    ledger.mark_sending("job", LEASE, "holder")

    assert ledger.allow_resend("job", tries=1)
    assert ledger.mark_sending("job", LEASE, "holder")
    assert ledger.job("job").tries == 1


def test_no_two_jobs_are_taken_for_the_same_one_of_klaviyos(ledger):
    accepted(ledger, "a")
    opened(ledger, "b")

    assert ledger.accept("b", "K-a", own=True) == "taken"
    assert ledger.job("b").state == "spawning"
    assert ledger.owners(GROUP, ["K-a", "K-x"]) == {"K-a": "a"}


def test_a_campaigns_jobs_may_have_the_same_id(ledger):
    for id in ("a", "b"):
        ledger.open(id, "send_campaign", ACCOUNT, REQUEST)

    assert [ledger.accept(id, "campaign", own=False) for id in ("a", "b")] == ["ok", "ok"]


def test_jobs_beyond_the_cap_wait_for_a_slot_in_their_order(ledger):
    released = [opened(ledger, id, cap=2) for id in "abcd"]
    for id in "ab":
        ledger.mark_sending(id, LEASE, "holder")
        ledger.accept(id, f"K-{id}", own=True)

    assert released == [["a"], ["b"], [], []]
    assert ledger.end("b", "complete") == (True, ["c"])
    assert ledger.end("b", "complete") == (False, [])
    assert ledger.end("a", "complete") == (True, ["d"])


def test_a_job_for_which_there_is_no_room_waits_before_the_others(ledger, reminders, clock):
    for id in "abc":
        opened(ledger, id, cap=2)
    ledger.mark_sending("a", LEASE, "holder")

    assert ledger.job_cap_reached("a", 15)
    assert ledger.job("a").state == "waiting"
    assert ledger.slots(GROUP) == []  # one other is in progress, and for no more there was room
    clock.wait(16)
    assert reminders.overdue(30) == ["job|b", f"slots|{GROUP}"]


def test_a_job_that_was_not_carried_on_is_overdue_once_a_while(ledger, reminders, clock):
    opened(ledger)
    clock.wait(16)

    assert reminders.overdue(30) == ["job|job"]
    assert reminders.overdue(30) == []
    clock.wait(31)
    assert reminders.overdue(30) == ["job|job"]
    reminders.set("job|job", None)
    clock.wait(31)
    assert reminders.overdue(30) == []


def test_a_large_request_is_dropped_when_klaviyo_has_it_and_a_small_one_kept(ledger):
    large = Request("POST", "/x", {}, random.Random(1).randbytes(100_000))
    ledger.open("large", KIND, ACCOUNT, large)
    ledger.mark_sending("large", LEASE, "holder")
    ledger.accept("large", "K1", own=True)
    accepted(ledger, "small")

    assert ledger.request("large") is None
    assert ledger.request("small") == REQUEST


def test_pages_of_errors_are_kept_once_each_and_in_order(ledger):
    accepted(ledger)
    ledger.keep_errors("job", 10, [{"index": 3}])
    ledger.keep_errors("job", 2, [{"index": 1}, {"index": 2}])
    ledger.keep_errors("job", 2, [{"index": 1}, {"index": 2}])

    assert [each["index"] for each in ledger.errors_of("job")] == [1, 2, 3]


@pytest.fixture
def run(client):
    runs = Runs(client, clock=lambda: 1_700_000_000.0)
    runs.begin("R", "profiles", ACCOUNT, "customers.csv", {"path": "/x"})
    return lambda: runs.run("R")


def test_an_import_sums_up_its_parts_each_once(ledger, run):
    for id in ("R-1", "R-2"):
        accepted(ledger, id, run="R", rows="1-3")
        ledger.end(id, "complete")
    end = JobOutcome("complete", {}, landed=2, rejected=1, rejects=[{"row": 3}])
    ledger.settle("R-1", end)
    ledger.settle("R-1", end)
    ledger.settle("R-2", JobOutcome("cancelled", {}, unknown=3))

    now = run()
    assert (now.parts, now.settled, now.landed, now.rejected, now.unknown) == (2, 2, 2, 1, 3)
    assert ledger.rejects_of("R-1") == [{"row": 3}]


def test_records_that_a_refusal_points_at_are_counted_once(ledger, run):
    opened(ledger, "R-1", run="R", rows="1-3")
    ledger.mark_sending("R-1", LEASE, "holder")
    fewer = {"request": REQUEST, "rows": "1,3", "items": 2}

    assert ledger.resend_without("R-1", [{"row": 2}], **fewer)
    assert not ledger.resend_without("R-1", [{"row": 2}], **fewer)
    assert (run().rejected, ledger.job("R-1").rows) == (1, "1,3")
    assert ledger.rejects_of("R-1") == [{"row": 2}]


def test_a_part_that_is_forgotten_counts_no_more(ledger, run):
    opened(ledger, "R-1", run="R", rows="1-3")
    ledger.withdraw("R-1", {"status": "withdrawn"})
    assert (run().parts, run().settled) == (1, 1)

    assert ledger.forget("R-1")
    assert (run().parts, run().settled) == (0, 0)
    assert opened(ledger, "R-1", run="R", rows="1-3") == ["R-1"]


def test_records_that_were_taken_back_are_counted_until_they_are_sent_after_all(ledger, run):
    opened(ledger, "R-1", run="R", rows="1-3", items=3)
    ledger.withdraw("R-1", {"status": "withdrawn"})
    ledger.withdraw("R-1", {"status": "withdrawn"})
    assert run().withdrawn == 3

    ledger.forget("R-1")
    assert run().withdrawn == 0


def test_what_became_of_the_records_of_a_forgotten_part_counts_no_more(ledger, run):
    accepted(ledger, "R-1", run="R", rows="1-3")
    ledger.end("R-1", "stuck")
    ledger.settle("R-1", JobOutcome("stuck", {}, landed=1, rejected=1, unknown=1))
    assert (run().landed, run().rejected, run().unknown) == (1, 1, 1)

    assert ledger.forget("R-1")

    assert (run().landed, run().rejected, run().unknown) == (0, 0, 0)


def test_a_run_tells_how_far_it_has_come_and_when_it_was_last_heard_of(client, run):
    later = Runs(client, clock=lambda: 1_700_000_060.0)

    later.record_progress("R", "/x.rejects.csv", [("email: is missing", 3)], rows=9, checked=3)

    now = run()
    assert (now.rows, now.failed, now.rejects, now.reasons) == (9, 3, "/x.rejects.csv", (("email: is missing", 3),))
    assert now.seen - now.started == 60


def test_a_job_is_found_by_klaviyos_id(ledger):
    accepted(ledger, "R-1")
    accepted(ledger, "R-2")

    assert ledger.known_as("K-R-2") == ledger.job("R-2")
    assert ledger.known_as("nonesuch") is None


def test_the_newest_jobs_come_first_and_only_so_many(ledger, clock):
    for id in ("a", "b", "c"):
        opened(ledger, id)
        clock.wait(60)
    now = clock() / 1000

    assert [job.id for job in ledger.recent(now - 150, now)] == ["c", "b"]
    assert [job.id for job in ledger.recent(0, now, limit=1)] == ["c"]


def test_what_was_sent_cannot_be_withdrawn(ledger):
    opened(ledger, "a")
    opened(ledger, "b")
    ledger.mark_sending("a", LEASE, "holder")

    assert ledger.withdraw("a", {}) == (False, [])
    assert ledger.withdraw("b", {})[0]
    assert not ledger.mark_sending("b", LEASE, "another")


def test_a_group_has_one_watcher_until_it_is_taken_over(ledger):
    assert ledger.watch(GROUP, "one", 60)
    assert not ledger.watch(GROUP, "two", 60)
    assert ledger.watch(GROUP, "one", 60)
    assert ledger.watch(GROUP, "two", 60, takeover=True)

    assert not ledger.watch(GROUP, "one", 60)


def test_a_watcher_that_dies_before_its_first_poll_is_replaced(ledger, reminders, clock):
    ledger.watch(GROUP, "one", 60)
    clock.wait(16)

    assert reminders.overdue(30) == [f"watch|{GROUP}"]


def test_a_watcher_rests_only_when_klaviyo_has_no_job_of_its_group(ledger):
    ledger.watch(GROUP, "one", 60)
    accepted(ledger, "a")
    opened(ledger, "b")

    assert not ledger.stop_watching(GROUP, "one")
    ledger.end("a", "complete")
    assert ledger.stop_watching(GROUP, "one")
    assert ledger.watch(GROUP, "two", 60)


def test_a_job_that_has_not_ended_is_not_settled(ledger):
    accepted(ledger)

    assert ledger.settle("job", JobOutcome("complete", {})) == (False, [])
    assert ledger.job("job").state == "accepted"


def test_a_job_for_which_there_was_no_room_is_the_first_to_get_a_slot(ledger):
    accepted(ledger, "b", cap=2)
    for id in "ac":
        opened(ledger, id, cap=2)
    ledger.mark_sending("a", LEASE, "holder")
    ledger.job_cap_reached("a", 15)

    assert ledger.end("b", "complete") == (True, ["a"])


def test_a_job_for_which_there_was_no_room_may_be_sent_at_once_when_there_is(ledger):
    accepted(ledger, "b", cap=2)
    opened(ledger, "a", cap=2)
    ledger.mark_sending("a", LEASE, "holder")
    ledger.job_cap_reached("a", 15)
    ledger.end("b", "complete")

    assert ledger.job("a").sent is None
    assert ledger.mark_sending("a", LEASE, "holder")


def test_where_klaviyo_has_room_for_none_of_ours_one_is_tried_and_not_all(ledger):
    for id in "abc":
        opened(ledger, id, cap=1)
    ledger.mark_sending("a", LEASE, "holder")
    ledger.job_cap_reached("a", 15)

    assert ledger.slots(GROUP) == ["a"]


@pytest.mark.parametrize("status", ["cancelled", "vanished", "stuck", "unknown"])
def test_how_long_a_job_takes_is_learned_from_those_that_klaviyo_has_completed(ledger, clock, status):
    for id, end in (("a", status), ("b", "complete")):
        accepted(ledger, id)
        clock.wait(7 if end == "complete" else 3_600)
        ledger.end(id, end)

    assert ledger.durations(KIND) == [(7, 3)]


def test_only_the_last_durations_make_a_habit(ledger, clock):
    for number in range(25):
        accepted(ledger, f"{number}")
        clock.wait(number)
        ledger.end(f"{number}", "complete")

    assert ledger.durations(KIND) == [(seconds, 3) for seconds in range(24, 4, -1)]


def test_a_watcher_that_was_replaced_rests_and_leaves_its_successor_alone(ledger):
    ledger.watch(GROUP, "one", 60)
    accepted(ledger)
    ledger.watch(GROUP, "two", 60, takeover=True)

    assert ledger.stop_watching(GROUP, "one")
    ledger.end("job", "complete")
    assert ledger.stop_watching(GROUP, "one")
    assert not ledger.watch(GROUP, "three", 60)


def test_a_job_that_klaviyo_has_already_is_not_accepted_a_second_time(ledger):
    accepted(ledger)

    assert ledger.accept("job", "K-other", own=True) == "over"
    assert ledger.job("job").job_id == "K-job"


def test_what_a_late_look_has_seen_does_not_bring_back_a_job_that_has_ended(ledger):
    accepted(ledger)
    ledger.end("job", "complete")

    assert ledger.record_poll("job", 1, "processing", {"total": 3}) == "over"
    assert (ledger.job("job").state, ledger.job("job").counters) == ("ended", {})


def test_a_job_that_was_taken_back_while_it_waited_gets_no_slot(ledger):
    accepted(ledger, "a", cap=1)
    for id in "bc":
        opened(ledger, id, cap=1)
    ledger.withdraw("b", {"status": "withdrawn"})

    assert ledger.end("a", "complete") == (True, ["c"])
    assert ledger.job("b").state == "settled"


@pytest.mark.parametrize("step", ["accepted", "ended"])
def test_a_job_whose_worker_dies_before_the_next_step_is_published_is_resumed(ledger, reminders, clock, step):
    accepted(ledger)
    reminders.set("job|job", None)
    if step == "ended":
        ledger.end("job", "complete")
    else:
        opened(ledger, "other")
        reminders.set("job|other", None)
        ledger.mark_sending("other", LEASE, "holder")
        ledger.accept("other", "K-other", own=True)
    clock.wait(16)

    assert reminders.overdue(30) == ["job|job" if step == "ended" else "job|other"]


def test_a_settled_job_is_resumed_no_more(ledger, reminders, clock):
    accepted(ledger)
    ledger.end("job", "complete")
    ledger.settle("job", JobOutcome("complete", {}))
    clock.wait(3_600)

    assert reminders.overdue(30) == []


def test_what_a_jobs_own_record_tells_of_its_errors_is_kept_until_it_is_settled(ledger):
    accepted(ledger)
    ledger.end("job", "complete", errors=[{"index": 2}])
    assert ledger.errors_of("job") == [{"index": 2}]

    ledger.settle("job", JobOutcome("complete", {}))

    assert ledger.errors_of("job") == []


def test_a_part_that_is_opened_again_tells_nothing_of_its_first_time(ledger, run):
    accepted(ledger, "R-1", run="R", rows="1-3")
    ledger.end("R-1", "cancelled")
    ledger.settle("R-1", JobOutcome("cancelled", {}, unknown=3, rejects=[{"row": 1}]))

    ledger.forget("R-1")
    opened(ledger, "R-1", run="R", rows="1-3")

    assert ledger.rejects_of("R-1") == []
    assert (run().unknown, run().settled) == (0, 0)


def test_what_is_known_of_a_settled_job_goes_after_a_week_and_no_list_grows_for_ever(client, ledger, clock):
    accepted(ledger)
    ledger.end("job", "complete")
    ledger.settle("job", JobOutcome("complete", {}, rejects=[{"row": 1}]))
    week = 7 * 86_400

    left = [client.ttl(f"klaviyo:job:job{of}") for of in ("", ":rejects")]

    assert all(week - 60 < seconds <= week for seconds in left)
    clock.wait(2 * week + 1)
    opened(ledger, "later")
    assert [job.id for job in ledger.recent(0, clock() / 1000)] == ["later"]
    assert client.zrange("klaviyo:jobs", 0, -1) == [b"later"]


def test_jobs_that_are_not_settled_are_counted_those_that_wait_for_a_slot_by_the_oldest(ledger, clock):
    began = clock.ms / 1000
    opened(ledger, "first", cap=1)
    for id in ("second", "third"):
        clock.wait(10)
        opened(ledger, id, cap=1)
    clock.wait(10)
    ledger.open("other", "bulk_create_coupon_codes", ACCOUNT, REQUEST)

    assert {(each.kind, each.state, each.count, each.opened) for each in ledger.unsettled()} == {
        (KIND, "spawning", 1, began),
        (KIND, "waiting", 2, began + 10),
        ("bulk_create_coupon_codes", "spawning", 1, began + 30),
    }

    ledger.mark_sending("first", LEASE, "holder")
    ledger.accept("first", "K1", own=True)
    ledger.end("first", "complete", {"total": 3, "completed": 3})
    ledger.settle("first", JobOutcome("complete", {"status": "complete"}))

    assert {(each.kind, each.state, each.count) for each in ledger.unsettled()} == {
        (KIND, "spawning", 1),
        (KIND, "waiting", 1),
        ("bulk_create_coupon_codes", "spawning", 1),
    }


@pytest.mark.parametrize(("run", "days"), [("", 7), ("R", 14)])
def test_a_part_of_an_import_is_kept_as_long_as_its_import_can_be_resumed(ledger, client, run, days):
    opened(ledger, run=run)
    ledger.mark_sending("job", LEASE, "holder")
    ledger.end("job", "refused", failure={"type": "BadRequest", "args": []})
    ledger.settle("job", JobOutcome("refused", {}, rejected=1, rejects=[{"row": 1}]))

    assert {client.ttl(f"klaviyo:job:job{of}") for of in ("", ":rejects")} == {days * 86_400}
