"""What becomes of one delivery of a task, from its claim to its end, over a real server."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
from celery.exceptions import Ignore, Retry

from tasks.lists import get_lists
from tests.clock import Clock
from worker import carrying_out, execution
from worker.account_and_lane import TASK_PREFIX
from worker.errors import Unavailable
from worker.governor import Governor
from worker.http_client import Response
from worker.message_headers import HEADER
from worker.one_per_process import forget
from worker.process import shutdown
from worker.tiers import QUEUES
from worker.transport import UNACKED, UNACKED_INDEX, header

ID = "task-1"
DECLARATION = get_lists.declaration


class Task:
    """A task that lists the lists, delivered as often as the governor releases it."""

    def __init__(self, client):
        self.client, self.clock, self.deliveries, self.sent = client, Clock(), 0, 0
        self.governor = Governor(client, clock=self.clock)
        self.answers = []
        line = DECLARATION.line("default", {})
        self.wait = {**header(line, "now"), "account": "default"}
        self.governor.beat("worker", 10, list(QUEUES), 60)
        self.governor.wait((line.name, line.spec), "now", ID, '{"id": "task-1"}')

    def delivered(self):
        """What a worker gets of it: it is on record as in this worker's hands."""
        self.clock.wait(2)
        self.governor.tick()
        message = self.client.rpop(self.wait["spec"].partition(";")[0])
        assert message is not None
        self.deliveries += 1
        tag = f"tag-{self.deliveries}"
        self.client.hset(UNACKED, tag, b'[%s,"",""]' % message)
        told = {"task": f"{TASK_PREFIX}get_lists", HEADER: self.wait}
        return SimpleNamespace(
            id=ID, klaviyo_delivery=(UNACKED, UNACKED_INDEX, tag), get=told.get, headers={}, delivery_info={}
        )

    def carry_out(self):
        return carrying_out.run(DECLARATION, self.delivered(), (), {})

    def send(self, *_):
        self.sent += 1
        status, headers = self.answers.pop(0)
        return Response(status, httpx.Headers(headers), b'{"data": []}')

    def remembered(self):
        return self.client.hlen("klaviyo:attempts")


@pytest.fixture
def task(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_BACKOFF_MAX_SECONDS", "0.0001")
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "3")
    forget()
    made = Task(client)
    monkeypatch.setattr(carrying_out, "get_governor", lambda: made.governor)
    monkeypatch.setattr(execution, "send", made.send)
    monkeypatch.setattr(execution, "get_client", lambda: None)
    yield made
    shutdown.closing.clear()


def test_a_task_is_tried_as_often_as_is_set_and_then_fails_with_the_number(task):
    task.answers += [(503, {})] * 4

    for _ in range(2):
        with pytest.raises(Retry):
            task.carry_out()
    with pytest.raises(Unavailable) as failed:
        task.carry_out()

    assert (failed.value.attempts, task.sent) == (3, 3)
    assert task.remembered() == 0


def test_of_a_task_that_succeeds_after_all_nothing_is_remembered(task):
    task.answers += [(503, {}), (200, {})]

    with pytest.raises(Retry):
        task.carry_out()
    assert task.remembered() == 1
    assert task.carry_out()["successful"]

    assert task.remembered() == 0


def test_a_429_sends_a_task_back_to_wait_and_uses_no_attempt(task):
    task.answers += [(429, {"retry-after": "600"})]

    with pytest.raises(Retry):
        task.carry_out()

    [look] = task.governor.look()
    assert (look.now, look.buckets[0].flight) == (1, 0)
    assert look.buckets[0].blocked == pytest.approx(600, abs=1)
    assert task.remembered() == 0


def test_a_worker_that_is_stopping_sends_nothing_more(task):
    request = task.delivered()
    shutdown.closing.set()

    with pytest.raises(Retry):
        carrying_out.run(DECLARATION, request, (), {})

    assert task.sent == 0
    [look] = task.governor.look()
    assert (look.now, look.buckets[0].flight) == (1, 0)


def test_a_delivery_that_is_no_longer_ours_is_left_to_whoever_has_it(task):
    task.answers += [(503, {})]
    request = task.delivered()
    task.client.delete(UNACKED)

    with pytest.raises(Ignore):
        carrying_out.run(DECLARATION, request, (), {})

    assert task.governor.count() == 0
