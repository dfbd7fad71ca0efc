"""A large result on a Redis that is full: no thread waits for memory, and nothing is told that is not so."""

import json

import pytest
from celery.app.task import Context
from celery.exceptions import Retry

from tasks.lists import create_list, get_lists, update_list
from tasks.reporting import query_flow_values
from worker import execution
from worker.app import app
from worker.carrying_out import carry_out
from worker.execution import Call
from worker.governor import SMALL_RESULT_BYTES, get_governor
from worker.http_client import Response
from worker.one_per_process import forget
from worker.process.state import working
from worker.redis import memory
from worker.redis.connection import Full
from worker.results import Backend
from worker.revocation import Effect, revoke
from worker.settings import get_settings
from worker.tiers import QUEUES

LARGE = json.dumps({"data": [{"type": "list", "id": "x" * SMALL_RESULT_BYTES}]}).encode()
SMALL = b'{"data": []}'


@pytest.fixture
def governor(settings, client, monkeypatch):
    """A worker of this process, which has found Redis full just now."""
    settings.setenv("KLAVIYO_REDIS_URL", f"unix://{client.connection_pool.connection_kwargs['path']}")
    forget()
    monkeypatch.setattr(memory, "_refused", memory.time.monotonic())
    made = get_governor()
    client.set("klaviyo:born", 1)  # long ago
    made.beat("worker", 8, list(QUEUES), 60)
    working.set()
    yield made
    client.config_set("maxmemory", 0)
    working.clear()


@pytest.fixture
def klaviyo(monkeypatch):
    """What Klaviyo answers, and the requests that it was asked for."""
    asked, told = [], {"content": LARGE}

    def send(client, owner, name, request):
        asked.append(name)
        return Response(200, {}, told["content"])

    monkeypatch.setattr(execution, "send", send)
    monkeypatch.setattr(execution, "get_client", lambda: None)
    return asked, told


@pytest.fixture
def delivered(governor, client):
    """Carries out one delivery of a task, published by the first, on a server that is full; what came of it."""

    def make(action, task_id="one", request=(), full=True, **params):
        call = Call(action.declaration, "default", action.declaration.bind(params), task_id, "tag")
        line = (call.line.name, call.line.spec)
        if not client.hexists("klaviyo:waiting", task_id):
            governor.wait(line, "now", task_id, '{"a": 1}', urgent=True)
        for item in client.zrange(f"klaviyo:later:{line[0]}", 0, -1):
            client.zadd(f"klaviyo:later:{line[0]}", {item: 0})  # as if its delay were over
        client.zadd("klaviyo:due", {line[0]: 0})
        governor.tick()
        assert client.lpop(call.line.queue) == b'{"a": 1}'
        client.hset("klaviyo:unacked", "tag", '[{"a": 1},"","queue"]')
        client.config_set("maxmemory", int(full))
        about = {"id": task_id, "task": f"klaviyo.{action.declaration.name}", "delivery_info": {}, **dict(request)}
        try:
            return carry_out(call, Context(about, klaviyo_delivery=("klaviyo:unacked", "klaviyo:unacked_index", "tag")))
        finally:
            client.config_set("maxmemory", 0)

    return make


def waits(client):
    return client.hkeys("klaviyo:waiting")


@pytest.mark.parametrize(
    ("action", "params"),
    [
        (get_lists, {}),
        (
            query_flow_values,
            {"statistics": ["opens"], "timeframe": {"key": "last_week"}, "conversion_metric_id": "M"},
        ),
    ],
)
def test_a_large_read_goes_back_to_wait_and_says_why(delivered, klaviyo, client, action, params):
    with pytest.raises(Retry, match="Redis is full: no room for a result of 64 KB") as raised:
        delivered(action, **params)

    assert waits(client) == [b"one"]
    assert raised.value.when is not None
    assert client.hgetall("klaviyo:attempts") == {}
    assert client.hgetall("klaviyo:roomless") == {b"one": b"1"}


def test_what_is_known_to_be_large_is_not_asked_for_again_until_there_is_room(delivered, klaviyo, client):
    asked, _ = klaviyo
    for _ in range(3):
        with pytest.raises(Retry, match="Redis is full: no room for"):
            delivered(get_lists)
    assert asked == ["get_lists"]
    assert client.hgetall("klaviyo:claimed") == {}

    assert delivered(get_lists, full=False)["data"]

    assert asked == ["get_lists", "get_lists"]
    assert not client.exists("klaviyo:roomless")


def test_what_waits_for_room_is_tried_soon_after_there_is_some(delivered, klaviyo, governor, client):
    assert governor.use_room() == 0
    for _ in range(7):
        with pytest.raises(Retry):
            delivered(get_lists)
    [(_, at)] = client.zrange("klaviyo:later:default:get_lists", 0, -1, withscores=True)
    assert at > governor.now() + 30_000

    client.config_set("maxmemory", 1)
    assert governor.use_room() == 0
    client.config_set("maxmemory", 0)
    assert governor.use_room() == 1

    assert governor.tick() == 1


def test_a_small_read_and_whatever_has_happened_is_told_at_once(delivered, klaviyo, client):
    _, told = klaviyo
    assert delivered(create_list, "created", name="Members")["data"]
    assert delivered(update_list, "updated", id="x", name="Members")["data"]
    assert delivered(get_lists, "ignored", {"ignore_result": True})["data"]
    told["content"] = SMALL
    assert delivered(get_lists, "small")["data"] == []
    assert waits(client) == []


def test_a_read_that_waits_for_room_is_revoked_and_not_asked_for_again(delivered, klaviyo, client):
    with pytest.raises(Retry):
        delivered(get_lists)

    assert revoke(app, "one") is Effect.WITHDRAWN

    assert waits(client) == []
    assert json.loads(client.get("celery-task-meta-one"))["status"] == "REVOKED"
    assert not client.exists("klaviyo:roomless")


def test_a_worker_stores_a_result_of_any_size_and_a_part_of_a_chord(governor, client):
    backend = Backend(app=app, url=get_settings().redis.result_url.removeprefix("redis+"))
    value = "x" * 3 * SMALL_RESULT_BYTES
    client.config_set("maxmemory", 1)

    backend.store_result("one", value, "SUCCESS")
    backend.on_chord_part_return(Context(id="one", group="g", group_index=0, chord=None), "SUCCESS", value)

    assert json.loads(client.get("celery-task-meta-one"))["result"] == value
    assert client.zcard("celery-taskset-meta-g.j") == 1


def test_anybody_else_stores_a_small_one(governor, client):
    working.clear()
    client.config_set("maxmemory", 1)
    governor.store("one", "x", 60)
    with pytest.raises(Full):
        governor.store("two", "x" * 2 * SMALL_RESULT_BYTES, 60)

    assert client.exists("one", "two") == 1


def test_one_thread_waits_a_little_for_memory_and_the_next_does_not(governor, client, monkeypatch):
    now = [1_000.0]
    client.config_set("maxmemory", 1)
    monkeypatch.setattr(memory, "_refused", -memory.BRIEF_WAIT_INTERVAL_S)
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds
        return False

    monkeypatch.setattr(memory.closing, "wait", wait)

    assert not memory.has_memory()
    assert now[0] == 1_000 + memory.BRIEF_WAIT_S
    assert not memory.has_memory()
    assert now[0] == 1_000 + memory.BRIEF_WAIT_S


def test_memory_that_comes_back_at_once_costs_no_second_request(governor, client, monkeypatch):
    client.config_set("maxmemory", 1)
    monkeypatch.setattr(memory, "_refused", -memory.BRIEF_WAIT_INTERVAL_S)
    monkeypatch.setattr(memory.closing, "wait", lambda seconds: not client.config_set("maxmemory", 0))

    assert memory.has_memory()


def test_the_pause_grows_to_a_minute():
    assert [memory.retry_delay(times) for times in (0, 1, 2, 5, 6, 900)] == [1, 2, 4, 32, 60, 60]
