"""Many calls published at once: all are checked first, and each is a task of its own."""

from __future__ import annotations

import base64
import json
from uuid import RFC_4122, UUID

import pytest
import redis
from celery import signals

from tasks.events import create_event
from tasks.lists import add_profiles_to_list
from tasks.profiles import create_profile, get_profile
from tests.clock import Clock
from worker import plain_calls
from worker.errors import InputError, NotConfirmed
from worker.governor import Governor
from worker.many import MAX_CALLS_PER_BATCH, new_id
from worker.messages import read
from worker.redis.connection import NotReplicated


@pytest.fixture
def governor(settings, client, monkeypatch):
    made = Governor(client, clock=Clock())
    monkeypatch.setattr(plain_calls, "get_publishing_governor", lambda: made)
    return made


def call(number, **more):
    return {"metric": "Placed Order", "profile": {"email": f"p{number}@example.com"}, "unique_id": f"u{number}", **more}


def test_each_call_is_a_task_in_the_order_in_which_they_were_made(governor, client):
    results = create_event.delay_many(call(number) for number in range(MAX_CALLS_PER_BATCH + 3))

    messages = {message.id: message for message in map(read, governor.waiting())}
    assert [messages[each.id].kwargs["unique_id"] for each in results] == [
        f"u{each}" for each in range(MAX_CALLS_PER_BATCH + 3)
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

    def cut(*step):
        publish(*step)
        said.append(step)
        if len(said) == 1:
            raise redis.ConnectionError("cut")

    monkeypatch.setattr(governor, "wait_all", cut)
    create_event.delay_many(call(number) for number in range(5))

    assert said == said[:1] * 2
    assert governor.count() == 5


def test_a_redis_that_is_away_is_told_with_the_first_that_is_not_confirmed(governor, monkeypatch):
    def away(*_):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(governor, "wait_all", away)
    with pytest.raises(NotConfirmed, match="away"):
        create_event.delay_many([call(0)])


@pytest.mark.parametrize(("slots", "left", "queued"), [(0, "nothing was queued", 0), (4, "workers have some", 3)])
def test_where_no_replica_confirms_them_they_are_taken_back_together_or_not_at_all(
    governor, monkeypatch, slots, left, queued
):
    def unconfirmed(*operation):
        governor._call(*operation)
        raise NotReplicated(0, 1, 1.0)

    governor.beat("worker", slots, ["klaviyo.xl"], 10)
    monkeypatch.setattr(governor, "_call_safely", unconfirmed)
    with pytest.raises(NotConfirmed, match=left):
        create_event.on(together=False).delay_many(call(number) for number in range(4))

    assert governor.count() == queued


def said_by(stored):
    """All that is kept of a call, without what differs from call to call."""
    place, _, message = stored.partition(b"\n")
    message = json.loads(message)
    task_id, wait = message["headers"]["id"], message["headers"]["klaviyo"]
    body = json.loads(base64.b64decode(message["body"]))
    wait["since"] = None
    if "time" in body[1]:
        body[1]["time"] = None
    return json.loads(json.dumps([place.decode(), {**message, "body": body}]).replace(task_id, "id"))


ODD = {
    "metric": "M",
    "unique_id": "u",
    "profile": {"email": "ada@example.com"},
    "value": 9.5,
    "properties": {"100 %": "%s ☺"},
}


@pytest.mark.parametrize(
    ("place", "params"),
    [
        (create_event, ODD),
        (
            create_event.on(lane="bulk", expires=60),
            {**ODD, "profile": {"email": "ada@example.com", "external_id": "7"}},
        ),
        (create_event.on(together=False, countdown=60), ODD),
        (create_event, {**ODD, "profile": {"email": "a@example.com", "patch_properties": {"append": {"a": "b"}}}}),
        (
            create_event,
            {"data__attributes__metric__data__attributes__name": "M", "profile": {"id": "01"}, "unique_id": "u"},
        ),
        (get_profile, {"id": "01", "fields_profile": ["email"]}),
        (get_profile, {"id": "01", "include": ["lists"]}),
        (add_profiles_to_list, {"list_id": "L", "profile_ids": ["01", "02"]}),
        (create_profile, {"email": "ada@example.com", "location": {"city": "London"}}),
        (create_profile.on(together=True), {"email": "ada@example.com", "first_name": None}),
    ],
)
def test_a_message_is_what_one_call_would_have_published(governor, client, place, params):
    place.delay(**params)
    [one] = client.hvals("klaviyo:waiting")
    again, many = place.delay_many([params, params])

    assert said_by(client.hget("klaviyo:waiting", again.id)) == said_by(one)
    assert said_by(client.hget("klaviyo:waiting", many.id)) == said_by(one)


def test_calls_that_differ_in_what_they_say_have_messages_of_their_own(governor, client):
    places = create_event.delay_many([call(0), call(1, value=2), call(2)])

    shown = [read(governor.message(each.id)).kwargs.get("value") for each in places]
    assert shown == [None, 2, None]


def test_an_expiry_is_that_of_each(governor, client):
    create_event.on(expires=60).delay_many([call(0), call(1)])

    assert client.zcard("klaviyo:expiring") == client.hlen("klaviyo:expires") == 2


def test_what_somebody_listens_to_goes_celerys_way(governor, monkeypatch):
    published = []
    monkeypatch.setattr("kombu.Producer.publish", lambda *_, **told: published.append(told["headers"]["id"]))
    listener = lambda **_: None  # noqa: E731
    signals.after_task_publish.connect(listener)
    try:
        results = create_event.delay_many([call(0), call(1)])
    finally:
        signals.after_task_publish.disconnect(listener)

    assert published == [each.id for each in results]


def test_ids_are_uuids_of_version_4():
    made = [UUID(new_id()) for _ in range(50)]

    assert {(each.version, each.variant) for each in made} == {(4, RFC_4122)}
    assert len(set(made)) == 50
