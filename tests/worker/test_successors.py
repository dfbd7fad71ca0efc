"""Once the work is done the task is a success, whatever becomes of what follows it."""

from __future__ import annotations

import pytest
import redis
from celery.signals import task_postrun
from kombu.exceptions import OperationalError

from tasks.lists import create_list
from worker import execution
from worker.app import app
from worker.publishing import published
from worker.successors import passing_on, run_and_pass_on


class Backend:
    """Where parts that could not be published are entered as failed."""

    def __init__(self):
        self.failed = []

    def mark_as_failure(self, id, error, request=None, store_result=True):
        self.failed.append((id, type(error).__name__, request))

    def _fail_chain(self, chain, error):
        self.failed += [(part["options"].get("task_id"), type(error).__name__, None) for part in chain]


@pytest.fixture
def task(settings, monkeypatch):
    made = app.tasks["klaviyo.create_profile"]
    made.backend = Backend()
    yield made
    made.backend = None
    task_postrun.send(sender=made)


@pytest.fixture
def sent(monkeypatch):
    found = []

    def apply_async(task, args=None, kwargs=None, **options):
        if kwargs.get("name") == "broken":
            raise RuntimeError("no such thing")
        found.append((kwargs.get("name"), options))

    monkeypatch.setattr("worker.action_task.ActionTask.apply_async", apply_async)
    return found


def carry_out(task, **request):
    task.push_request(id="t", root_id="r", klaviyo_delivery=("u", "i", "tag"), **request)
    try:
        return run_and_pass_on(task, lambda: "done"), task.request.callbacks, task.request.chain
    finally:
        task.pop_request()


def part(name, **options):
    return dict(create_list.si(name=name).set(**options))


def test_what_follows_is_published_once_and_celery_is_left_nothing(task, sent):
    after = [part("last", task_id="z"), part("next", task_id="y")]

    assert carry_out(task, callbacks=[part("a"), part("b")], chain=after) == ("done", None, None)

    assert [name for name, _ in sent] == ["a", "b", "next"]
    assert {options["parent_id"] for _, options in sent} == {"t"}
    assert sent[2][1]["chain"] == after[:1]


def test_a_callback_has_the_same_id_when_the_task_is_carried_out_once_more(task, sent):
    carry_out(task, callbacks=[part("a"), part("b")])
    carry_out(task, callbacks=[part("a"), part("b")])

    ids = [options["task_id"] for _, options in sent]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_a_part_that_cannot_be_published_fails_and_neither_the_task_nor_the_others_do(task, sent):
    after = [part("last", task_id="z"), part("broken", task_id="y", link_error=[part("told")])]

    result, *_ = carry_out(task, callbacks=[part("broken", task_id="x"), part("b")], chain=after)

    assert result == "done"
    assert [name for name, _ in sent] == ["b"]
    (x, y) = task.backend.failed
    assert (x[:2], y[:2]) == (("x", "RuntimeError"), ("y", "RuntimeError"))
    assert [each["options"]["task_id"] for each in y[2].chain] == ["z"]
    assert [each["kwargs"]["name"] for each in y[2].errbacks] == ["told"]


def test_from_the_end_of_the_work_on_a_part_that_is_wrong_is_not_refused(task, sent):
    seen = []
    task.push_request(id="t", klaviyo_delivery=("u", "i", "tag"))
    try:
        run_and_pass_on(task, lambda: seen.append(passing_on()))
    finally:
        task.pop_request()

    assert (seen, passing_on()) == ([False], True)
    task_postrun.send(sender=task)
    assert not passing_on()


def test_while_redis_is_away_it_is_waited_for_and_a_mistake_is_not_taken_for_that(monkeypatch):
    monkeypatch.setattr(execution.closing, "wait", lambda seconds: False)
    answers = [OperationalError("away"), redis.exceptions.ConnectionError("away"), "published"]

    def publish():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert published(publish) == "published"

    def mistaken():
        raise OperationalError("nope") from KeyError("nope")

    with pytest.raises(OperationalError):
        published(mistaken)
