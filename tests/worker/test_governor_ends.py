"""How the governor hands out tasks with their leases, and ends several in one step."""

import pytest

from tests.worker.governing import LEASE_MS, line
from worker.api.jsonapi import Quota
from worker.governor import Delivery, RequestEnd, TaskEnd
from worker.tiers import Bucket, Limits

USED = RequestEnd(used=True)


def released(governor, *names, each=None, blindly="true"):
    """Tasks in their queue, with leases."""
    each = each or line()
    for name in names:
        message = f'{{"body": "", "headers": {{"id": "{name}", "klaviyo": {{"blindly": {blindly}}}}}}}'
        governor.wait((each.name, each.spec), "now", name, message)
    return each


def take(governor, each=None, most=8, pop="pop"):
    """The tasks that a worker takes, and those whose leases came with them."""
    found = governor.take(Delivery("unacked", "index", pop), LEASE_MS, most, [(each or line()).queue])
    return [message.split(b'"id": "')[1].split(b'"')[0].decode() for _, message, _ in found], [
        claimed for _, _, claimed in found
    ]


def end(name, tag, request_end=USED, **result):
    return TaskEnd(name, Delivery("unacked", "index", tag), request_end, **result)


def flight(client, name="operation"):
    return int(client.hget(f"klaviyo:bucket:a:{name}", "flight") or 0)


def answers(client, name="operation"):
    return client.llen(f"klaviyo:ring:a:{name}")


def test_what_is_taken_is_on_record_with_its_lease(client, governor):
    released(governor, "one", "two")

    assert take(governor) == (["one", "two"], ["one", "two"])

    assert client.hkeys("unacked") == [b"pop:1", b"pop:2"]
    assert client.zcard("index") == 2
    assert client.hgetall("klaviyo:holder") == {b"one": b"pop:1", b"two": b"pop:2"}
    assert governor.claim("one", LEASE_MS, False, "pop:1").state == "ok"
    assert governor.claim("two", LEASE_MS, False, "another").state == "none"


def test_a_lease_whose_time_is_over_does_not_come_with_its_message(client, governor, clock):
    released(governor, "one")
    clock.wait(16)

    assert take(governor) == (["one"], [""])


def test_a_message_that_is_there_twice_comes_with_one_lease(client, governor):
    each = released(governor, "one")
    client.lpush(each.queue, client.lindex(each.queue, 0))

    assert take(governor) == (["one", "one"], ["one", ""])


def test_no_more_is_taken_than_was_asked_for(client, governor):
    each = released(governor, "one", "two", "three")

    assert take(governor, each, most=2)[0] == ["one", "two"]
    assert take(governor, each, pop="next") == (["three"], ["three"])


def test_the_end_of_several_tasks_is_one_step(client, governor):
    released(governor, "one", "two")
    take(governor)
    listening = client.pubsub()
    listening.subscribe("result of one")

    governor.finish([
        end("one", "pop:1", key="result of one", value="good", ttl=60),
        end("two", "pop:2"),
    ])  # fmt: skip

    assert client.get("result of one") == b"good"
    assert 50 < client.ttl("result of one") <= 60
    assert [listening.get_message(timeout=60)["data"] for _ in range(2)] == [1, b"good"]
    assert (client.hlen("unacked"), client.zcard("index")) == (0, 0)
    assert (flight(client), answers(client)) == (0, 2)
    assert client.exists("klaviyo:lease", "klaviyo:claimed", "klaviyo:holder") == 0
    listening.close()


def test_a_result_may_be_kept_for_ever(client, governor):
    governor.finish([end("one", "pop:1", key="result of one", value="good", ttl=0)])

    assert client.ttl("result of one") == -1


def test_an_end_makes_room_for_the_next_task(client, governor):
    each = released(governor, "one", "two", "three", "four")
    assert take(governor)[0] == ["one", "two", "three"]

    governor.finish([end("one", "pop:1")])
    assert take(governor, each)[0] == []
    governor._clock.wait(2)
    governor.tick()

    assert take(governor, each, pop="next")[0] == ["four"]


def test_who_was_taken_for_dead_tells_a_result_and_leaves_its_successors_lease(client, governor, clock):
    each = released(governor, "one", "two")
    take(governor)
    clock.wait(LEASE_MS / 1000 + 1)
    governor.tick()
    released(governor, "again", each=each)
    client.hset("klaviyo:holder", "one", "successor")
    before = answers(client)

    governor.finish([end("one", "pop:1", key="result", value="good", ttl=60), end("two", "pop:2")])

    assert client.hget("klaviyo:holder", "one") == b"successor"
    assert answers(client) == before
    assert client.get("result") == b"good"
    assert client.hlen("unacked") == 0


def test_an_end_that_is_told_twice_counts_once(client, governor):
    released(governor, "one")
    take(governor)

    for _ in range(2):
        governor.finish([end("one", "pop:1")])

    assert (flight(client), answers(client)) == (0, 1)


def test_ends_of_different_lines_close_each_its_own(client, governor):
    one, other = line("3/s 60/m", "operation"), line("3/s 60/m", "other")
    released(governor, "one", each=one)
    released(governor, "two", "three", each=other)
    take(governor, one)

    governor.finish([end("one", "pop:1"), end("two", "pop:2")])

    assert [(flight(client, name), answers(client, name)) for name in ("operation", "other")] == [(0, 1), (1, 1)]


@pytest.mark.parametrize("extra", [False, True])
def test_each_end_tells_of_the_limit_that_it_adopted(client, governor, extra):
    each = line("3/s 60/m", "operation", *([Bucket("more", Limits.parse("3/s 60/m"))] if extra else []))
    released(governor, "one", "two", each=each)
    take(governor, each)
    quota = RequestEnd(used=True, quota=Quota(30, 29, 60))

    # Of two buckets nobody says which one the headers are about.
    assert governor.finish([end("one", "pop:1"), end("two", "pop:2", quota)]) == [0, 0 if extra else 30]


def test_an_end_lets_an_account_go_on_that_klaviyo_had_refused(client, governor, clock):
    released(governor, "one")
    take(governor)
    governor.pause("account:a", "a worker", "its key is refused", since=0.0, probe=5.0, key="print")

    governor.finish([end("one", "pop:1", RequestEnd(used=True, accepted_key="print"))])

    assert governor.paused() == []
