"""The result of a call does what Celery's does."""

from __future__ import annotations

import pickle

import pytest
from celery import states
from celery.result import AsyncResult

from tasks.lists import get_lists
from worker.app import app

END = {"status": states.SUCCESS, "result": {"data": 7}}


@pytest.fixture
def waiting(clean_settings):
    made = get_lists.task.AsyncResult("some-id")
    made.backend = app.backend
    return made


def test_what_is_to_follow_it_does(waiting, monkeypatch):
    found = []
    monkeypatch.setattr(app.backend, "add_pending_result", lambda *_, **__: None)
    monkeypatch.setattr(app.backend, "remove_pending_result", lambda *_: None)
    waiting.then(lambda result: found.append(result.id))
    waiting._maybe_set_cache(END)

    assert found == ["some-id"]
    assert waiting.get() == {"data": 7}


def test_its_promise_is_one(waiting):
    assert waiting.on_ready is waiting.on_ready
    with pytest.raises(AttributeError, match="on_redy"):
        waiting.on_redy  # noqa: B018


def test_it_has_what_celery_gives_to_one():
    celerys = vars(AsyncResult("some-id", app=app))

    assert vars(app.AsyncResult("some-id")) == {name: each for name, each in celerys.items() if name != "on_ready"}


def test_it_looks_and_travels_as_any_other(waiting):
    assert repr(waiting) == "<AsyncResult: some-id>"
    assert pickle.loads(pickle.dumps(waiting)) == waiting == AsyncResult("some-id", app=app)
    assert waiting.as_tuple() == (("some-id", None), None)
