"""Messages on their way to a worker and back, over a real server: none is lost, and none is held for nothing."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress

import pytest
import redis
from kombu import Consumer, Producer, Queue

from tests.live.system import stretched
from worker import transport
from worker.governor import Governor, RequestEnd
from worker.message_headers import HEADER
from worker.process import prefetched_leases
from worker.process.state import acknowledged_by_redis, left_behind, working
from worker.tiers import Bucket, Limits, Line
from worker.transport import OPTIONS, UNACKED, UNACKED_INDEX, Connection, header

QUEUE = "klaviyo.l"


class Worker:
    """Takes messages as a worker's consumer does, so many at once."""

    def __init__(self, client, governor, prefetch=4):
        path = client.connection_pool.connection_kwargs["path"]
        self.client, self.governor, self.taken = client, governor, []
        self.connection = Connection(f"redis+socket://{path}", transport_options=OPTIONS)
        self.channel = self.connection.channel()
        self.channel.basic_qos(0, prefetch, False)
        queue = Queue(QUEUE, routing_key=QUEUE)
        self.consumer = Consumer(self.channel, [queue], callbacks=[lambda _, message: self.taken.append(message)])
        self.consumer.consume()

    def publish(self, *bodies, **headers):
        producer = Producer(self.channel)
        for body in bodies:
            producer.publish({"body": body}, routing_key=QUEUE, headers={"id": body, **headers}, serializer="json")

    def take(self):
        """What it gets now: whatever is in its queue, unless it has as much as it may hold."""
        before, until = len(self.taken), time.monotonic() + stretched(5)
        tries = 2
        while tries > 0 or (self.client.llen(QUEUE) and self.channel.qos.can_consume() and time.monotonic() < until):
            tries -= 1
            with suppress(TimeoutError):
                self.connection.drain_events(timeout=0.05)
        return [message.payload["body"] for message in self.taken[before:]]

    def asks(self):
        """It has asked for messages, and the answer has not been read."""
        self.channel.connection.cycle.on_poll_start()

    def dies(self):
        """It shows no sign of life any more, and is replaced."""
        for tag in self.client.zrange(UNACKED_INDEX, 0, -1):
            self.client.zadd(UNACKED_INDEX, {tag: 1})

    def on_record(self):
        return self.client.hlen(UNACKED), self.client.zcard(UNACKED_INDEX)

    def close(self):
        self.connection.release()


@pytest.fixture
def start(client, monkeypatch):
    """Starts workers on one server."""
    governor = Governor(client)
    monkeypatch.setattr(transport, "get_redis", lambda: client)
    monkeypatch.setattr(transport, "get_governor", lambda: governor)
    monkeypatch.setattr(transport, "get_publishing_governor", lambda: governor)
    made = []

    def begin(**how):
        made.append(Worker(client, governor, **how))
        return made[-1]

    yield begin
    for each in made:
        each.close()


@pytest.fixture
def worker(start):
    return start()


def test_what_a_worker_has_taken_is_on_record_until_it_is_acknowledged(worker):
    worker.publish("one", "two")
    assert worker.take() == ["one", "two"]
    assert worker.on_record() == (2, 2)

    worker.taken[0].ack()
    assert worker.on_record() == (1, 1)
    worker.taken[1].ack()
    assert worker.on_record() == (0, 0)


def test_answers_to_remote_control_come_though_redis_was_restarted_since_the_command_before(worker):
    worker.publish("one")
    polling = worker.channel.client
    polling.connection = polling.connection_pool.get_connection()
    worker.client.client_kill_filter(_type="normal", skipme=True)

    assert worker.take() == ["one"]


def test_what_ends_after_another_server_has_become_the_primary_is_delivered_again(worker, monkeypatch):
    monkeypatch.setattr(transport, "primary_met", lambda _: "first")
    worker.governor._call("history", "first")
    worker.publish("one", "two")
    worker.take()

    worker.taken[0].ack()
    assert worker.on_record() == (1, 1)
    worker.governor._call("history", "second")
    monkeypatch.setattr(transport, "primary_met", lambda _: "second")
    worker.taken[1].ack()

    assert worker.take() == ["two"]


def test_what_comes_again_after_a_failover_is_carried_out_again_though_celery_knows_its_success(worker, monkeypatch):
    monkeypatch.setattr(transport, "primary_met", lambda _: "first")
    worker.governor._call("history", "first")
    worker.publish("one")
    worker.take()
    # Its worker had been taken for dead before.
    worker.dies()
    worker.channel.qos.restore_visible()
    worker.take()
    assert worker.taken[-1].headers["redelivered"]
    worker.governor._call("history", "second")
    monkeypatch.setattr(transport, "primary_met", lambda _: "second")

    worker.taken[-1].ack()

    assert worker.take() == ["one"]
    assert not worker.taken[-1].headers.get("redelivered")
    assert not worker.taken[-1].delivery_info.get("redelivered")


def test_what_a_dead_worker_held_is_taken_again_once_and_says_that_it_was_before(worker):
    worker.publish("one")
    worker.take()
    worker.dies()

    worker.channel.qos.restore_visible()
    worker.channel.qos.restore_visible()

    assert worker.take() == ["one"]
    assert worker.take() == []
    assert worker.taken[-1].headers["redelivered"]


def test_what_a_living_worker_holds_is_not_taken_from_it(worker):
    worker.publish("one")
    worker.take()
    worker.dies()

    worker.channel.qos.refresh()
    worker.channel.qos.restore_visible()

    assert worker.take() == []
    assert worker.on_record() == (1, 1)


@pytest.mark.parametrize(
    "record",
    [b'{"headers', b"7", b'[7, "", "x"]', b'[{"headers": null}, "", "x"]', b'[{"headers": {"id": ["x"]}}, "", "x"]'],
)
def test_a_record_that_nobody_can_read_keeps_no_other_from_being_put_back(worker, record):
    worker.publish("one")
    worker.take()
    worker.dies()
    worker.client.hset(UNACKED, "odd", record)
    worker.client.zadd(UNACKED_INDEX, {"odd": 0})

    worker.channel.qos.restore_visible()

    assert worker.take() == ["one"]
    assert not worker.client.hexists(UNACKED, "odd")


def test_a_worker_that_was_taken_for_dead_does_not_bring_back_what_it_has_lost(worker):
    worker.publish("one")
    worker.take()
    worker.dies()
    worker.channel.qos.restore_visible()

    worker.channel.qos.refresh()

    assert worker.on_record() == (0, 0)


def test_a_late_acknowledgement_does_not_reach_the_copy_that_somebody_else_works_on(worker):
    worker.publish("one")
    worker.take()
    worker.dies()
    worker.channel.qos.restore_visible()
    worker.take()
    first, second = worker.taken

    first.ack()

    assert worker.on_record() == (1, 1)
    second.ack()
    assert worker.on_record() == (0, 0)


def test_a_message_that_is_none_of_celerys_is_dropped_and_said_to_be(worker, caplog):
    for message in ("rubbish", "[]", '{"properties": null}'):
        worker.client.lpush(QUEUE, message)
    worker.publish("one")

    assert worker.take() == ["one"]
    assert worker.on_record() == (1, 1)
    assert sum("was dropped" in each for each in caplog.messages) == 3


def test_a_record_that_cannot_be_read_does_not_stand_in_the_way_of_others(worker):
    worker.publish("one")
    worker.take()
    worker.client.hset(UNACKED, "broken", "rubbish")
    worker.client.zadd(UNACKED_INDEX, {"broken": 1})
    worker.dies()

    worker.channel.qos.restore_visible()

    assert worker.take() == ["one"]
    assert worker.on_record() == (1, 1)


def test_a_worker_takes_no_more_than_it_can_carry_out(start):
    worker = start(prefetch=2)
    worker.publish("one", "two", "three")

    assert worker.take() == ["one", "two"]
    assert worker.client.llen(QUEUE) == 1
    worker.taken[0].ack()
    assert worker.take() == ["three"]


def test_a_worker_with_room_for_one_takes_one_though_several_lists_have_some(start):
    worker = start(prefetch=1)
    worker.publish("one")
    Producer(worker.channel).publish(
        {"body": "two"}, routing_key=QUEUE, headers={"id": "two"}, serializer="json", priority=6
    )

    assert worker.take() == ["one"]
    assert worker.on_record() == (1, 1)


def test_a_message_of_an_action_waits_for_its_budget_and_another_does_not(worker):
    line = Line("a", (Bucket("operation", Limits.parse("3/s 60/m")),))

    worker.publish("action", **{HEADER: header(line, "now")})
    worker.publish("other")

    assert worker.take() == ["other"]
    worker.governor.beat("worker", 10, [QUEUE, line.queue], 60)
    assert [look.now for look in worker.governor.look()] == [1]


def test_what_waits_again_after_its_worker_died_waits_in_its_line(worker):
    line = Line("a", (Bucket("operation", Limits.parse("3/s 3000/m")),))
    assert line.queue == "klaviyo.xl"
    message = {"body": "one"}
    Producer(worker.channel).publish(message, routing_key=QUEUE, headers={"id": "one"}, serializer="json")
    worker.take()
    [(tag, stored)] = worker.client.hgetall(UNACKED).items()
    told = b'"headers": {"' + HEADER.encode() + b'": {"line": "' + line.name.encode() + b'", "spec": "'
    told += line.spec.encode() + b'", "lane": "bulk"}, '
    worker.client.hset(UNACKED, tag, stored.replace(b'"headers": {', told, 1))
    worker.dies()

    worker.channel.qos.restore_visible()

    assert worker.take() == []
    assert [look.bulk for look in worker.governor.look()] == [1]


def test_a_message_with_a_priority_of_celerys_comes_back_too(worker):
    producer = Producer(worker.channel)
    producer.publish({"body": "one"}, routing_key=QUEUE, headers={"id": "one"}, serializer="json", priority=6)
    assert worker.take() == ["one"]
    worker.dies()

    worker.channel.qos.restore_visible()

    assert worker.take() == ["one"]


def test_what_its_threads_are_at_work_on_stays_on_record_when_only_the_connection_is_lost(worker):
    worker.publish("one")
    worker.take()

    worker.channel.close()

    assert worker.on_record() == (1, 1)
    assert worker.client.llen(QUEUE) == 0


def test_what_a_worker_that_stops_has_not_carried_out_goes_back_at_once(worker, monkeypatch):
    worker.publish("one")
    worker.take()
    closing = threading.Event()
    closing.set()
    monkeypatch.setattr(transport, "closing", closing)

    worker.channel.close()

    assert worker.on_record() == (0, 0)
    assert worker.client.llen(QUEUE) == 1


@pytest.fixture
def stopping(monkeypatch):
    """Call it, and the worker of this process is stopping."""
    closing = threading.Event()
    monkeypatch.setattr(transport, "closing", closing)
    return closing.set


@pytest.fixture
def line():
    """A line of the queue, for which there is a slot."""
    return Line("default", (Bucket("x", Limits.parse("10/s 1000/m")),))


def granted(worker, line, **how):
    """One task with a lease, in the queue."""
    worker.governor.beat("w", 8, [QUEUE], 60)
    worker.publish("one", **{HEADER: header(line, "now", **how)})
    assert worker.client.llen(QUEUE) == 1


def take_lease(worker, task="one", late=0.0):
    """Whether a thread can take up the lease that came with the delivery, so many seconds after that."""
    tag = worker.taken[0].delivery_tag
    _, arrived = prefetched_leases._leases.get(tag, ("", 0.0))
    return prefetched_leases.take_lease(worker.governor, tag, task, lambda: arrived + late)


def held_by(worker):
    """The delivery that has claimed the lease."""
    return (worker.client.hget("klaviyo:holder", "one") or b"").decode()


def test_a_lease_is_claimed_with_the_pop_where_the_request_may_be_repeated(worker, line):
    granted(worker, line, blindly=True)

    assert worker.take() == ["one"]

    tag = worker.taken[0].delivery_tag
    assert held_by(worker) == tag
    assert take_lease(worker)
    assert not take_lease(worker)
    assert held_by(worker) == tag


@pytest.mark.parametrize(("task", "seconds"), [("one", prefetched_leases.FRESH_S + 1), ("another", 0)])
def test_a_lease_that_came_too_long_ago_or_for_another_task_is_given_back(worker, line, task, seconds):
    granted(worker, line, blindly=True)
    assert worker.take() == ["one"]

    assert not take_lease(worker, task, seconds)

    assert held_by(worker) == ""


def lease_seconds(worker):
    """For how long the lease that has been claimed is good."""
    return worker.client.zscore("klaviyo:claimed", "one") / 1000 - worker.governor.now() / 1000


def test_a_lease_that_came_with_its_message_is_short_until_a_thread_has_begun(worker, line):
    granted(worker, line, blindly=True)
    worker.take()
    worker.channel.qos.refresh()
    assert lease_seconds(worker) <= 20

    assert take_lease(worker)
    worker.channel.qos.refresh()

    assert lease_seconds(worker) > 20


def test_the_lease_of_another_delivery_is_not_prolonged(worker, line):
    granted(worker, line, blindly=True)
    worker.take()
    take_lease(worker)
    worker.client.hset("klaviyo:holder", "one", "another")

    worker.channel.qos.refresh()

    assert lease_seconds(worker) <= 20


def test_only_what_is_held_is_remembered_as_begun(worker, line):
    granted(worker, line, blindly=True)
    worker.take()
    take_lease(worker)
    worker.governor.close_lease("one", RequestEnd(used=True), worker.taken[0].delivery_tag)
    worker.taken[0].ack()

    assert prefetched_leases.begun([]) == {}
    assert prefetched_leases.begun([worker.taken[0].delivery_tag]) == {worker.taken[0].delivery_tag: ""}


def test_what_must_not_be_repeated_is_claimed_by_the_thread_that_sends_it(worker, line):
    granted(worker, line)

    assert worker.take() == ["one"]

    assert held_by(worker) == ""
    assert not take_lease(worker)


@pytest.mark.parametrize("against", ["revoked", "paused", "expiring", "attempted", "without a lease"])
def test_no_lease_is_claimed_with_the_pop_where_something_speaks_against_it(worker, line, against):
    granted(worker, line, blindly=True)
    if against == "revoked":
        worker.governor.revoke("one", "nobody wants it")
    elif against == "paused":
        worker.governor.pause("tier:klaviyo.xs", "somebody", "to look", since=0.0)
    elif against == "without a lease":
        worker.governor.release("one")
    else:
        worker.client.hset(f"klaviyo:{'expires' if against == 'expiring' else 'attempts'}", "one", 1)

    assert worker.take() == ["one"]

    assert held_by(worker) == ""


@pytest.mark.parametrize("spelling", [", ", ","])
def test_a_message_tells_its_id_however_its_publisher_spells_json(worker, line, spelling):
    granted(worker, line, blindly=True)
    message = json.loads(worker.client.lpop(QUEUE))
    worker.client.lpush(QUEUE, json.dumps(message, separators=(spelling, spelling.replace(",", ":"))))

    assert worker.take() == ["one"]

    assert held_by(worker) == worker.taken[0].delivery_tag


def test_a_lease_that_came_with_the_pop_and_is_not_used_returns_at_once_when_the_worker_stops(worker, line, stopping):
    granted(worker, line, blindly=True)
    assert worker.take() == ["one"]

    stopping()
    worker.channel.close()
    worker.governor.tick()

    assert worker.on_record() == (0, 0)
    assert worker.client.llen(QUEUE) == 1
    assert held_by(worker) == ""


def test_a_delivery_that_has_ended_is_not_struck_off_the_record_twice(worker, monkeypatch):
    worker.publish("one")
    worker.take()
    monkeypatch.setattr(transport.QoS, "drop", lambda *_: pytest.fail("it is asked for again"))
    tag = worker.taken[0].delivery_tag
    acknowledged_by_redis.add(tag)

    worker.taken[0].ack()

    assert tag not in acknowledged_by_redis


def test_what_is_left_to_the_next_worker_is_not_shown_as_held(worker):
    worker.publish("one")
    worker.take()
    worker.dies()
    tag = worker.taken[0].delivery_tag
    left_behind.add(tag)
    try:
        worker.channel.qos.refresh()
    finally:
        left_behind.discard(tag)
    worker.channel.qos.restore_visible()

    assert worker.take() == ["one"]


def test_what_a_worker_that_stops_gives_back_does_not_wait_until_its_lease_runs_out(worker, line, stopping):
    granted(worker, line)
    assert worker.take() == ["one"]

    stopping()
    worker.channel.close()
    worker.governor.tick()

    assert worker.on_record() == (0, 0)
    assert worker.client.llen(QUEUE) == 1


def test_what_arrives_while_a_worker_stops_goes_back_at_once(worker, line, stopping):
    granted(worker, line)
    worker.asks()

    stopping()
    worker.consumer.cancel()
    worker.channel.close()
    worker.governor.tick()

    assert worker.on_record() == (0, 0)
    assert worker.client.llen(QUEUE) == 1


def test_a_purge_drops_what_waits_for_budget_too(worker):
    line = Line("a", (Bucket("operation", Limits.parse("75/s 750/m")),))
    assert line.queue == QUEUE
    worker.publish("action", **{HEADER: header(line, "now")})
    worker.publish("other")

    assert worker.channel.queue_purge(QUEUE) == 2
    assert worker.governor.count() == 0


def test_what_a_worker_publishes_is_taken_though_redis_be_full(worker):
    worker.publish("held")
    assert worker.take() == ["held"]
    line = Line("a", (Bucket("operation", Limits.parse("3/s 60/m")),))
    worker.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError):
            worker.publish("a caller's")
        working.set()
        worker.publish("a worker's")
        worker.publish("an action", **{HEADER: header(line, "now")})
    finally:
        working.clear()
        worker.client.config_set("maxmemory", 0)

    assert worker.take() == ["a worker's"]
    assert worker.governor.count() == 1
