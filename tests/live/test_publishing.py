"""A call that goes straight into its waiting list leaves there what Celery and kombu would have left."""

import json
import re
from base64 import b64decode

import pytest
from celery.signals import after_task_publish, before_task_publish

from tasks.events import create_event
from tasks.profiles import create_profile, update_profile
from tests.live.system import until
from worker import plain_calls
from worker.app import app

#: An event may travel with others, but with none of its id: this is a digest of it, and differs with the id.
MARK = re.compile("![0-9a-f]{18}=")

CALLS = {
    "a plain call": lambda: create_profile.delay(email="ada@example.com", properties={"née": ["Byron", 1, 2.5, None]}),
    "one with a path": lambda: update_profile.delay(id="01H", first_name="Ada"),
    "one that is stamped": lambda: create_event.delay(metric="Placed Order", profile={"email": "ada@example.com"}),
    "one elsewhere and later": lambda: create_profile.on("a", lane="bulk", countdown=60, expires=600).delay(
        email="ada@example.com"
    ),
    "one with headers of its own": lambda: create_profile.apply_async(
        kwargs={"email": "ada@example.com"}, headers={"trace": "00-1"}
    ),
}


@pytest.fixture
def left(publisher, live_server):
    """What a call leaves in Redis, without what differs from each call to the next."""

    def read(call):
        live_server.redis.flushall()
        call()
        [stored] = live_server.redis.hvals("klaviyo:waiting")
        told, _, message = (stored.decode() if isinstance(stored, bytes) else stored).partition("\n")
        return MARK.sub("!", told), _without_chance(json.loads(MARK.sub("!", message)))

    yield read
    live_server.redis.flushall()


def _without_chance(message):
    headers, properties = message["headers"], message["properties"]
    for each in ("id", "root_id"):
        assert headers.pop(each) == properties["correlation_id"]
    del properties["correlation_id"], properties["delivery_tag"], headers["klaviyo"]["since"]
    for each in ("argsrepr", "kwargsrepr"):  # by an oversight, Celery writes them here too
        properties.pop(each, None)
    args, kwargs, follow = json.loads(b64decode(message["body"]))
    for each in ("unique_id", "time"):
        kwargs.pop(each, None)
    return {**message, "body": (args, kwargs, follow)}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_goes_straight_is_what_celery_would_have_sent(left, call, monkeypatch):
    went = []
    monkeypatch.setattr(plain_calls, "_message", lambda *args, told=plain_calls._message: went.append(1) or told(*args))
    straight = left(call)
    assert went == [1]

    heard = []

    def listen(headers=None, **_):
        heard.append(headers["task"])

    for signal in (before_task_publish, after_task_publish):
        signal.connect(listen)
    try:
        assert left(call) == straight
    finally:
        for signal in (before_task_publish, after_task_publish):
            signal.disconnect(listen)
    assert len(heard) == 2
    assert went == [1]


def test_an_event_of_the_publication_is_sent_where_it_is_switched_on(left, events, monkeypatch):
    monkeypatch.setitem(app.conf.changes, "task_send_sent_event", True)

    CALLS["a plain call"]()

    until(lambda: [each for each in events if each["type"] == "task-sent"], 5, "the event of the publication")
