"""Messages that no task can be made of: whose id can be read ends as a FAILURE with what to do, and no worker falls."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from celery import chord
from kombu import Connection, Producer

from tasks.profiles import create_profile
from tasks.tags import get_tags
from tests.celery_connections import application
from tests.live.system import until
from tests.live.whereabouts import whereabouts
from worker import errors
from worker.app import app
from worker.message_headers import HEADER
from worker.transport import UNACKED, header

TASK = "klaviyo.create_profile"
ADA = {"email": "ada@example.com"}
BODY = json.dumps([[], ADA, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])

#: What is odd about a message, and what its failure says.
ODD = {
    "pickled": ({"content_type": "application/x-python-serialize", "body": b"\x80\x04N."}, "serializer='json'"),
    "yaml": ({"content_type": "application/x-yaml", "body": "[]"}, "serializer='json'"),
    "cut off": ({"body": BODY[:-9]}, "cannot be read"),
    "not UTF-8": ({"body": b"\xff"}, "cannot be read"),
    "packed in an unknown way": ({"headers": {"compression": "application/x-none"}}, "cannot be read"),
    "null": ({"body": "null"}, "not that of a task"),
    "a number": ({"body": "5"}, "not that of a task"),
    "two parts": ({"body": "[[], {}]"}, "not that of a task"),
    "no arguments by name": ({"body": json.dumps({"args": [], "kwargs": 5})}, "not that of a task"),
    "an empty body": ({"body": ""}, "not that of a task"),
    "a time that is none": ({"headers": {"expires": "soon", "task": "klaviyo.collect"}}, "not that of a task"),
}


def followed(**parts):
    """The body of a task that something follows."""
    return {"body": json.dumps([[], ADA, parts])}


ODD |= {
    what: (message, "not that of a task")
    for what, message in {
        "a list of keywords": {"body": json.dumps([[], ["email"], {}])},
        "arguments that are a number": {"body": json.dumps([5, ADA, {}])},
        "nothing that can be followed": {"body": json.dumps([[], ADA, [1]])},
        "a number after it": followed(chain=[5]),
        "errbacks that are a number": followed(errbacks=5),
        "a chord that is a name": followed(chord="klaviyo.get_tags"),
        "a name to be shown that is none": {"headers": {"shadow": ["a"]}},
        "an account that is none": {"headers": {"klaviyo_account": {"eu": 1}}},
        "a start that is none": {"headers": {"eta": "soon"}},
    }.items()
}


@pytest.fixture
def publish(live_server):
    """Puts a message of any kind into a queue, as another application's publisher does."""
    with Connection(live_server.broker_url, transport_options=live_server.broker_options) as connection:
        producer = Producer(connection)

        def one(body=BODY, headers=(), content_type="application/json", task_id=None):
            task_id = task_id or str(uuid4())
            producer.publish(
                body, routing_key="klaviyo.l", content_type=content_type, content_encoding="utf-8",
                headers={"task": TASK, "id": task_id, "lang": "py", **dict(headers)},
            )  # fmt: skip
            return task_id

        yield one


def test_a_message_that_cannot_be_read_fails_its_task_with_what_to_do(idle, publish):
    ids = {what: publish(**message) for what, (message, _) in ODD.items()}

    ends = idle.ended(list(ids.values()))

    for what, (_, told) in ODD.items():
        end = ends[ids[what]]
        assert (what, end.status, end.error) == (what, "FAILURE", "InputError")
        assert told in str(errors.InputError(*end.arguments)), what
    assert idle.end_of(create_profile.delay(**ADA).id).status == "SUCCESS"
    until(lambda: not idle.redis.hlen(UNACKED), 5, "the acknowledgements")
    assert "ada@" not in idle.workers[0].text()


@pytest.mark.parametrize(
    "parts", [{"errbacks": 5}, {"chain": [5]}, {"chord": "x"}, {"errbacks": [{"task": 5}]}], ids=str
)
def test_a_task_that_nobody_knows_fails_though_nobody_can_tell_who_waits_for_it(idle, publish, parts):
    task_id = publish(headers={"task": "klaviyo.create_profil", "group": "g"}, **followed(**parts))

    assert idle.end_of(task_id).error == "InputError"
    until(lambda: not idle.redis.hlen(UNACKED), 5, "the acknowledgement")


def test_what_has_no_id_is_dropped_and_harms_nobody(idle, publish, live_server):
    publish(headers={"id": None})
    with Connection(live_server.broker_url, transport_options=live_server.broker_options) as connection:
        producer = Producer(connection)
        for headers in ({"task": TASK}, {}, {"task": 5, "id": 5}):
            producer.publish(BODY, routing_key="klaviyo.l", content_type="application/json", headers=headers)
    way = {"body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": "klaviyo.l"}}
    how = {"content-type": "application/json", "content-encoding": "utf-8"}
    broken = {"body": "abc", **how, "headers": {}, "properties": way}
    idle.redis.lpush("klaviyo.l", json.dumps(broken))

    assert idle.end_of(create_profile.delay(**ADA).id).status == "SUCCESS"
    until(lambda: not idle.redis.hlen(UNACKED), 5, "the acknowledgements")


def test_a_call_of_the_old_protocol_fails_with_what_to_do(idle, live_server):
    # An application keeps to the protocol of its first call.
    options = {"broker_transport_options": live_server.broker_options}
    with application("old", live_server.broker_url, task_protocol=1, changes=options) as old:
        known = old.send_task(TASK, kwargs=ADA, queue="klaviyo.l").id
        unknown = old.send_task("klaviyo.create_profil", kwargs=ADA, queue="klaviyo.l").id

    ends = idle.ended([known, unknown])

    assert "task_protocol = 2" in str(errors.InputError(*ends[known].arguments))
    assert str(errors.InputError(*ends[unknown].arguments)) == (
        "klaviyo.create_profil: no task has this name; did you mean 'klaviyo.create_profile'? Nothing was sent."
    )
    assert "ada@" not in idle.workers[0].text()


def test_a_part_of_a_chord_that_nobody_knows_fails_the_chord(idle):
    parts = [create_profile.si(**ADA), app.signature("klaviyo.create_profil", kwargs=ADA, queue="klaviyo.l")]

    end = idle.end_of(chord(parts, app=app)(get_tags.si()).id)

    assert end.status == "FAILURE"


def test_an_action_that_only_newer_workers_know_waits_for_one(idle, publish):
    wait = header(create_profile.declaration.line("default", {}), "now", 0.0, None)

    task_id = publish(headers={"task": "klaviyo.create_tomorrow", HEADER: wait})

    until(lambda: task_id in whereabouts(idle.redis, [task_id]).later, 5, "the task to wait")
