"""What becomes of a message that was delivered: put back to wait, restored after a death, with Redis full."""

from tests.worker.governing import answer, known, line, parked, publish, ref, released
from worker.governor import Delivery
from worker.tiers import QUEUES


def test_a_parked_delivery_moves_its_message_and_counts_the_attempt(client, governor, clock):
    each = line()
    client.hset("unacked", "tag", '[{"m": 1},"","klaviyo.s"]')
    client.zadd("unacked_index", {"tag": 1})
    delivery = Delivery("unacked", "unacked_index", "tag")

    assert governor.park(delivery, ref(each), "now", "one", 5.0, at_head=True, attempt=True) == 1
    assert client.hlen("unacked") == client.zcard("unacked_index") == 0
    assert governor.park(delivery, ref(each), "now", "one", 5.0, at_head=True, attempt=True) is None
    clock.wait(5.1)
    governor.tick()
    assert client.lrange(each.queue, 0, -1) == [b'{"m": 1}']


def test_a_delivery_goes_back_even_when_redis_is_full(client, governor):
    each = line()
    client.hset("unacked", "tag", "as it was popped")
    client.zadd("unacked_index", {"tag": 1})
    client.config_set("maxmemory", 1)
    try:
        governor.restore(
            Delivery("unacked", "unacked_index", "tag"), each.queue, ref(each), "now", "one", "message of one"
        )
    finally:
        client.config_set("maxmemory", 0)

    assert not client.exists("unacked", "unacked_index")
    governor.tick()
    assert released(client, each) == ["one"]


def test_waiting_tasks_are_worked_off_even_when_redis_is_full(client, governor, clock):
    each = line("1/s 60/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    clock.wait(1)
    client.config_set("maxmemory", 1)
    try:
        answer(governor, "one")
        clock.wait(1.1)
        governor.beat("worker", 1_000, QUEUES, 60)
        assert governor.tick() == 1
        answer(governor, "two")
        governor.done("two")
    finally:
        client.config_set("maxmemory", 0)

    assert governor.count() == 0


def test_a_message_without_a_line_goes_back_to_its_queue(client, governor):
    client.hset("unacked", "tag", "as it was popped")

    governor.restore(Delivery("unacked", "unacked_index", "tag"), "klaviyo.l", None, "", "one", "message of one")

    assert client.lrange("klaviyo.l", 0, -1) == [b"message of one"]


def test_a_delivery_that_is_no_longer_on_record_does_not_come_back(client, governor):
    each = line()

    gone = Delivery("unacked", "unacked_index", "tag")

    assert not governor.restore(gone, each.queue, ref(each), "now", "one", "message of one")
    governor.tick()
    assert released(client, each) == []


def test_only_attempts_are_counted_and_a_finished_task_has_none(client, governor):
    each = line()

    counts = [
        parked(client, governor, each, "one", delay=60, attempt=attempt) for attempt in (False, True, False, True)
    ]
    governor.done("one")

    assert counts == [0, 1, 1, 2]
    assert parked(client, governor, each, "one", delay=60, attempt=True) == 1
