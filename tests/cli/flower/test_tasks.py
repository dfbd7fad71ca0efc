"""Flower's page of tasks: what waits, what belongs together, and what each row says."""

import json
from types import SimpleNamespace

import pytest

from cli.flower import tasks as flower_tasks
from cli.flower.tasks import STEP, WAITING, State, WaitingChanges, WaitingLists, make_format, read_message
from schedules.deferred import MODULES
from tests.worker.governing import line, nobody_works, ref
from worker.app import app
from worker.governor.backlog import Waiting
from worker.steps import Opening, Step

NOW = 1_800_000_000.0


@pytest.fixture
def state():
    return State()


def tell(state, kind, uuid="a-task", **fields):
    seen = {"hostname": "w1@host", "timestamp": NOW, "local_received": NOW, "clock": 1, "pid": 1}
    state.event({"type": f"task-{kind}", "uuid": uuid, **seen, **fields})


def listed(state, query=""):
    return {id: state.tasks[id] for id in state.search_engine.search(state.tasks, query).task_ids}


def message(name="klaviyo.create_profile", id="a-task", ours=True, **headers):
    wait = {"klaviyo": {"line": "a", "spec": "b", "since": NOW}} if ours else {}
    told = {"task": name, "id": id, "root_id": id, "argsrepr": "()", "kwargsrepr": "{'email': '***'}"}
    return json.dumps({"headers": {**told, **wait, **headers}, "body": ""})


def waiting(state, id="a-task", **how):
    event = read_message(Waiting(id, "now", 1, None, message(id=id, **how).encode()), NOW)
    state.show_waiting(WaitingChanges({id: event}, set(), set()))


def test_a_waiting_task_has_a_row_that_can_be_searched_for(state):
    waiting(state)

    row = listed(state, f"state:{WAITING}")["a-task"]
    assert (row.name, row.kwargs, row.state, row.worker) == (
        "klaviyo.create_profile",
        "{'email': '***'}",
        WAITING,
        None,
    )
    assert dict(state.workers) == {}


def test_it_stays_one_row_through_its_retries_to_its_end(state):
    waiting(state)
    states = []
    for kind in ("received", "started", "retried", "received", "started", "succeeded"):
        tell(state, kind, name="klaviyo.create_profile")
        states.append(state.tasks["a-task"].state)

    assert states == ["RECEIVED", "STARTED", "RETRY", "RECEIVED", "STARTED", "SUCCESS"]
    assert list(listed(state)) == ["a-task"]


def test_one_that_waits_again_keeps_the_state_that_a_worker_gave_it(state):
    tell(state, "received", name="klaviyo.create_profile")
    tell(state, "retried", exception="a 429")
    waiting(state)

    assert state.tasks["a-task"].state == "RETRY"


def test_one_that_waits_no_longer_does_not_say_so(state):
    waiting(state, "granted")
    waiting(state, "dropped")
    state.show_waiting(WaitingChanges({}, {"granted", "dropped"}, {"dropped"}))

    assert {id: row.state for id, row in listed(state).items()} == {"granted": "PENDING", "dropped": "REVOKED"}


def test_a_late_look_does_not_hide_how_a_task_has_ended(state):
    tell(state, "received", name="klaviyo.create_profile")
    tell(state, "succeeded")
    waiting(state)

    assert state.tasks["a-task"].state == "SUCCESS"


def test_a_job_is_one_row_and_its_steps_are_not_in_the_list(state):
    tell(state, "received", "job", name="klaviyo.job", kwargs="{'kind': 'x'}", root_id="job")
    tell(state, "received", "job.1", name="klaviyo.job_spawn", root_id="job", parent_id="job")
    tell(state, "succeeded", "job.1")
    tell(state, "accepted", "job", job_state="ACCEPTED")
    tell(state, "received", "job", name="klaviyo.job_collect", kwargs="{…}", root_id="job", parent_id="job.1")
    tell(state, "succeeded", "job", result="successful, 20 completed")

    rows = listed(state)
    assert list(rows) == ["job"]
    assert (rows["job"].name, rows["job"].kwargs, rows["job"].state) == ("klaviyo.job", "{'kind': 'x'}", "SUCCESS")
    assert [each.id for each in rows["job"].children] == ["job.1"]


def test_a_job_that_failed_counts_as_one_failure(state):
    tell(state, "received", "job.1", name="klaviyo.job_spawn", root_id="job", parent_id="job")
    tell(state, "failed", "job.1")
    tell(state, "received", "job", name="klaviyo.job_collect", root_id="job")
    tell(state, "failed", "job")

    assert state.counter["w1@host"]["task-failed"] == 1


def test_a_job_that_an_import_began_has_a_row_with_its_name(state):
    tell(state, "processing", "run.1", job_state="PROCESSING", completed=20)

    assert state.tasks["run.1"].name == "klaviyo.job"


def test_every_step_of_ours_and_nothing_else_is_known_as_one():
    found = {name for name in app.tasks if STEP.fullmatch(name)}
    steps = {name for name, task in app.tasks.items() if isinstance(task, Step) and not isinstance(task, Opening)}

    assert found - set(MODULES) == steps - set(MODULES)
    assert set(MODULES) - found == {"klaviyo.push", "klaviyo.sync"}


def test_arguments_of_a_foreign_publisher_are_not_shown():
    raw = message(ours=False, kwargsrepr="{'email': 'ada@example.com'}", argsrepr="('ada@example.com',)")
    event = read_message(Waiting("a-task", "now", 1, None, raw.encode()), NOW)

    assert "ada" not in str(event)


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"[1]", b'{"headers": null}', b"\xff"])
def test_what_cannot_be_read_has_no_row(raw):
    assert read_message(Waiting("a-task", "now", 1, None, raw), NOW) is None


def row(state, **fields):
    return SimpleNamespace(**{"uuid": "a-task", "state": state, "result": None, "exception": None, **fields})


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (row(WAITING), "waits until noon"),
        (row("RETRY", exception="a 429"), "waits until noon"),
        (row("RETRY", uuid="another", exception="a 429"), "a 429"),
        (row("FAILURE", exception="BadRequest: 400"), "BadRequest: 400"),
        (row("SUCCESS", result="successful"), "successful"),
        (row("PROCESSING", total=3_000, completed=1, failed=0), "3,000 total, 1 completed, 0 failed"),
        (row("SPAWNING"), None),
    ],
)
def test_the_result_of_a_row_says_why_it_waits_how_far_it_is_or_why_it_failed(task, told):
    assert make_format(lambda: {"a-task": "waits until noon"})(task).result == told


@pytest.fixture
def lists(client, governor, monkeypatch):
    monkeypatch.setattr(flower_tasks, "get_redis", lambda: client)
    monkeypatch.setattr(flower_tasks, "get_governor", lambda: governor)
    nobody_works(governor)
    return WaitingLists()


def test_each_task_is_read_once_and_explained_each_time(lists, governor):
    governor.wait(ref(line()), "now", "a-task", message())
    first, second = lists.read(NOW), lists.read(NOW)

    assert first.waiting["a-task"]["name"] == "klaviyo.create_profile"
    assert second.waiting == {"a-task": {}}
    assert lists.notes["a-task"].startswith("waits for Klaviyo's limits")


def test_rows_that_wait_are_in_the_order_in_which_they_will_be_sent(lists, governor, state):
    for lane, id in (("bulk", "third"), ("now", "first"), ("now", "second")):
        governor.wait(ref(line()), lane, id, message(id=id))
    governor.wait(ref(line(name="other")), "now", "paused", message(id="paused"))
    governor.pause("action:other", "ann", "for now", since=NOW)
    seen = lists.read(NOW)
    state.show_waiting(seen)
    tell(state, "sent", "elsewhere", name="klaviyo.get_lists")

    def shown(query):
        how = {"sort_by": "received", "descending": True}  # as Flower's page asks by default
        return list(state.search_engine.search(state.tasks, query, **how).task_ids)

    assert shown(f"state:{WAITING}") == ["first", "second", "third", "paused"]
    assert "elsewhere" in shown("")


def test_what_was_revoked_is_told_from_what_a_worker_has_taken(lists, governor, client):
    for id in ("taken", "revoked"):
        governor.wait(ref(line()), "now", id, message(id=id))
    lists.read(NOW)
    governor.revoke("revoked", "nobody wants it")
    governor.withdraw("revoked", "result", "{}", 60)
    client.delete("klaviyo:waiting", f"klaviyo:now:{line().name}")

    seen = lists.read(NOW)
    assert (seen.gone, seen.revoked) == ({"taken", "revoked"}, {"revoked"})
    assert lists.notes == {}


def test_many_lines_are_looked_at_in_turn_and_none_is_forgotten_meanwhile(lists, governor, monkeypatch):
    monkeypatch.setattr(flower_tasks, "LINES_PER_READING", 2)
    for number in range(3):
        governor.wait(ref(line(name=f"line-{number}")), "now", f"task-{number}", message(id=f"task-{number}"))

    first, second = lists.read(NOW), lists.read(NOW)
    assert (len(first.waiting), len(second.waiting)) == (2, 1)
    assert not first.gone | second.gone
    assert len(lists.notes) == 3
