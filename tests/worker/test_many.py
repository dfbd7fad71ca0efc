"""Many calls published at once: all are checked first, and each is a task of its own."""

from __future__ import annotations

import json

import pytest
import redis

from tasks.events import create_event
from tests.clock import Clock
from worker import plain_calls
from worker.errors import InputError, NotConfirmed
from worker.governor import Governor
from worker.many import MAX_CALLS_PER_STEP
from worker.messages import read


@pytest.fixture
def governor(settings, client, monkeypatch):
    made = Governor(client, clock=Clock())
    monkeypatch.setattr(plain_calls, "get_publishing_governor", lambda: made)
    return made


def call(number, **more):
    return {"metric": "Placed Order", "profile": {"email": f"p{number}@example.com"}, "unique_id": f"u{number}", **more}


def test_each_call_is_a_task_in_the_order_in_which_they_were_made(governor, client):
    results = create_event.delay_many(call(number) for number in range(MAX_CALLS_PER_STEP + 3))

    messages = {message.id: message for message in map(read, governor.waiting())}
    assert [messages[each.id].kwargs["unique_id"] for each in results] == [
        f"u{each}" for each in range(MAX_CALLS_PER_STEP + 3)
    ]
    waiting = client.lrange("klaviyo:now:default:create_event", 0, -1)
    assert [each.decode() for each in reversed(waiting)] == [each.id for each in results]


def test_where_one_is_wrong_nothing_is_published(governor):
    with pytest.raises(InputError, match="call 2: parameter 'metrics' is not known"):
        create_event.delay_many([call(0), call(1), {"metrics": "x"}, call(3)])

    assert governor.count() == 0


def test_those_that_are_wrong_can_be_set_aside(governor):
    aside: list[tuple[int, Exception]] = []

    results = create_event.delay_many([call(0), {}, call(2)], aside=aside)

    assert len(results) == governor.count() == 2
    assert [number for number, _ in aside] == [1]


def test_they_go_where_one_call_would(governor, client):
    create_event.on(lane="bulk", countdown=60, together=False).delay_many([call(0)])

    [message] = map(read, governor.waiting())
    assert (message.wait["lane"], message.wait["delay"]) == ("bulk", 60)
    assert "together" not in message.wait
    assert client.zcard("klaviyo:later:default:create_event") == 1


def test_what_was_said_twice_is_published_once(governor, monkeypatch):
    said = []
    publish = governor.wait_all

    def cut(told):
        publish(told)
        said.append(len(told))
        if len(said) == 1:
            raise redis.ConnectionError("cut")

    monkeypatch.setattr(governor, "wait_all", cut)
    create_event.delay_many(call(number) for number in range(5))

    assert said == [5, 5]
    assert governor.count() == 5


def test_a_redis_that_is_away_is_told_with_the_first_that_is_not_confirmed(governor, monkeypatch):
    def away(told):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(governor, "wait_all", away)
    with pytest.raises(NotConfirmed, match="away"):
        create_event.delay_many([call(0)])


def test_their_messages_hold_what_those_of_celery_do(governor):
    create_event.delay_many([call(0), call(1)])

    for raw in governor.waiting():
        message = json.loads(raw)
        own = message["headers"]["id"]
        assert message["headers"]["root_id"] == message["properties"]["correlation_id"] == own
        assert message["headers"]["kwargsrepr"].count("***") >= 3
