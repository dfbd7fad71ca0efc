"""Revoked, expired and dropped tasks end, each once, and so does whatever waits for them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from celery import states

from worker import revocation
from worker.carrying_out import Revoked
from worker.governor import Governor
from worker.messages import readable
from worker.revocation import Effect, ended_if_revoked, revoke, revoke_stamped
from worker.tiers import Bucket, Limits, Line

LINE = Line("default", (Bucket("operation", Limits.parse("3/s 60/m")),))
CHORD = {"task": "sum_up", "options": {"task_id": "sum"}}


class Backend:
    """Celery's results as far as they matter here: who was told as revoked, and which parts their chord was told of."""

    expires = 60

    def __init__(self):
        self.revoked, self.parts = [], []

    def mark_as_revoked(self, task_id, reason, **_):
        self.revoked.append(task_id)

    def on_chord_part_return(self, request, state, result):
        assert state == states.REVOKED
        assert request.chord == CHORD
        self.parts.append(request.id)

    def encode_result(self, error, state):
        return str(error)

    def _get_result_meta(self, result, state, traceback, request):
        return {"result": result, "status": state}

    def encode(self, meta):
        return json.dumps(meta)

    def get_key_for_task(self, task_id):
        return f"celery-task-meta-{task_id}"


@pytest.fixture
def governor(client, monkeypatch):
    made = Governor(client)
    monkeypatch.setattr(revocation, "get_governor", lambda: made)
    monkeypatch.setattr(revocation, "ALSO_REVOKED", [])
    monkeypatch.setattr(revocation, "ALSO_STAMPED", [])
    return made


@pytest.fixture
def app():
    return SimpleNamespace(finalize=lambda: None, backend=Backend())


def waiting(governor, id, stamps=None, chord=None, chain=None):
    """A task waits whose message says so much."""
    headers = {"id": id, "task": "klaviyo.x", "stamps": stamps or {}, "group": "group", "group_index": 0}
    body = json.dumps([[], {}, {"chord": chord, "chain": chain}])
    governor.wait((LINE.name, LINE.spec), "now", id, json.dumps({"headers": headers, "body": body}))


def those_that_wait(governor):
    return {message.id for message in readable(governor.waiting())}


def test_a_task_that_waits_is_gone_and_told_as_revoked(governor, app, client):
    waiting(governor, "one")
    waiting(governor, "two")

    assert revoke(app, "one") is Effect.WITHDRAWN

    assert those_that_wait(governor) == {"two"}
    assert json.loads(client.get("celery-task-meta-one"))["status"] == states.REVOKED
    assert revoke(app, "one") is Effect.FLAGGED


def test_what_klaviyo_has_goes_on_though_it_is_revoked(governor, app):
    revocation.ALSO_REVOKED.append(lambda id, reason: Effect.GOES_ON)
    waiting(governor, "job")

    assert revoke(app, "job") is Effect.GOES_ON
    assert those_that_wait(governor) == {"job"}


def test_a_chord_is_told_of_a_part_that_was_revoked_while_it_waited(governor, app):
    waiting(governor, "part", chord=CHORD)

    revoke(app, "part")

    assert app.backend.parts == ["part"]


def test_what_is_chained_to_a_revoked_task_ends_with_it(governor, app):
    followers = [{"task": "klaviyo.y", "options": {"task_id": id, "chord": CHORD}} for id in ("second", "third")]
    waiting(governor, "first", chain=followers)

    assert revoke(app, "first", "it was dropped") is Effect.WITHDRAWN

    assert app.backend.revoked == ["second", "third"]
    assert app.backend.parts == ["second", "third"]


def test_a_stamp_revokes_the_tasks_with_its_value_and_no_others(governor, app):
    waiting(governor, "ours", {"tenant": "a"})
    waiting(governor, "ours too", {"tenant": ["b", "a"]})
    waiting(governor, "theirs", {"tenant": "c"})
    waiting(governor, "nobody's")

    assert sorted(revoke_stamped(app, {"tenant": ["a", "z"]})) == ["ours", "ours too"]
    assert those_that_wait(governor) == {"theirs", "nobody's"}


class Task:
    """The task that is being carried out."""

    def __init__(self, backend):
        self.request = SimpleNamespace(id="task", chain=None)
        self.backend, self.app, self.events = backend, SimpleNamespace(finalize=lambda: None, backend=backend), []

    def send_event(self, kind, **about):
        self.events.append(kind)


@pytest.mark.parametrize("expired", [True, False])
def test_a_task_that_has_expired_stays_expired_when_it_is_delivered_once_more(governor, app, expired):
    task = Task(app.backend)

    with pytest.raises(Revoked), ended_if_revoked(task):
        raise Revoked("it expired before its turn came", expired)

    assert governor.revoked("task") == ("it expired before its turn came" if expired else None)
    assert (app.backend.revoked, task.events) == (["task"], ["task-revoked"])
