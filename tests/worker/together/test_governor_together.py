"""How the governor puts tasks together, hands them out, and takes them back."""

import pytest

from tests.worker.governing import LEASE_MS
from worker.governor import ALONE, Arrival, Delivery, Fate, RequestEnd
from worker.tiers import Bucket, Limits, Line

SINGLE = Line("a", (Bucket("single", Limits.parse("3/s 60/m")),))
BULK = Line("a", (Bucket("bulk", Limits.parse("2/s 15/m")),))
PLACE = "unacked", "index"


@pytest.fixture
def few(governor):
    """A governor whose workers have room for four tasks of a queue."""
    governor.beat("worker", 5, ["klaviyo.s", "klaviyo.m", "klaviyo.xs", "klaviyo.l"], 10**6)
    return governor


def wait(governor, name, lane="now", key="k", marks="", size=10, most=5, line=SINGLE, carrier=BULK, once=0):
    share = f"1 {size} {once} {key}{marks}"
    together = (share, f"{most} 100 {carrier.name} {carrier.spec}")
    governor.wait((line.name, line.spec), lane, name, f"message of {name}", together=together if share else ALONE)


def full(governor, number, **how):
    """Nothing has room, and so many tasks wait."""
    for each in range(number):
        wait(governor, f"t{each}", **how)


def riders(client):
    """The tasks of each request that carries some, in order."""
    return [
        [item.partition(b"\n")[0].decode() for item in client.lrange(b"klaviyo:riders:" + each, 0, -1)]
        for each in sorted(client.hkeys("klaviyo:riding"), key=lambda each: int(each.split(b"-")[1]))
    ]


def test_what_waits_for_a_full_window_goes_as_one_request_of_the_other(few, client, clock):
    full(few, 8)
    clock.wait(0.02)
    few.tick()

    # Three have gone at once; the others could wait for the end of the second, and need not.
    assert riders(client) == [["t3", "t4"], ["t5", "t6"]]
    assert few.count() == 1


def test_no_more_records_and_bytes_than_fit_into_a_request(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 12, size=30, most=100)
    few.beat("worker", 5, ["klaviyo.s", "klaviyo.xs"], 10**6)
    clock.wait(0.02)
    few.tick()

    assert {len(each) for each in riders(client)} == {3}


def test_a_line_that_carries_its_own_puts_together_what_it_can(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 3, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()

    assert riders(client) == [["t0", "t1", "t2"]]


def test_those_of_another_key_stay_in_their_places(few, client, clock):
    few.beat("worker", 0, [], 1)
    for each in range(8):
        wait(few, f"t{each}", key="k" if each % 2 else "other", carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()

    assert riders(client) == [["t0", "t2", "t4", "t6"]]
    waiting = client.lrange(f"klaviyo:now:{SINGLE.name}", 0, -1)
    assert [each.decode() for each in reversed(waiting)] == ["t1", "t3", "t5", "t7"]


def test_one_that_has_nobody_to_go_with_keeps_no_others_from_going(few, client, clock):
    few.beat("worker", 0, [], 1)
    for each, name in enumerate(("lonely", "alone", "k", "k", "k")):
        wait(few, f"t{each}", key=name, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()

    assert riders(client) == [["t2", "t3", "t4"]]


def test_those_that_go_back_are_in_their_order_at_the_head(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 4, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()
    few.beat("worker", 0, [], 1)
    wait(few, "later", carrier=SINGLE)
    [carrier] = [each.decode() for each in client.hkeys("klaviyo:riding")]
    [rider, *_] = few.board(carrier, LEASE_MS, "tag")

    assert (rider.task_id, rider.lane, rider.message) == ("t0", "now", b"message of t0")
    fates = [Fate(f"t{each}", "wait", "") for each in range(4)]
    assert few.arrive(Delivery(*PLACE, "tag"), carrier, Arrival(RequestEnd(used=True), fates)) == 0

    waiting = client.lrange(f"klaviyo:now:{SINGLE.name}", 0, -1)
    assert [each.decode() for each in reversed(waiting)] == ["t0", "t1", "t2", "t3", "later"]


def test_those_that_go_back_for_a_while_keep_their_order(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 5, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()
    few.beat("worker", 0, [], 1)
    [carrier] = [each.decode() for each in client.hkeys("klaviyo:riding")]
    few.board(carrier, LEASE_MS, "tag")
    few.arrive(Delivery(*PLACE, "tag"), carrier, Arrival(RequestEnd(used=True), [], delay=3.0))
    clock.wait(4)
    few.tick()

    waiting = client.lrange(f"klaviyo:now:{SINGLE.name}", 0, -1)
    assert [each.decode() for each in reversed(waiting)] == [f"t{each}" for each in range(5)]


def test_who_was_taken_for_dead_ends_nothing(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 3, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()
    [carrier] = [each.decode() for each in client.hkeys("klaviyo:riding")]
    assert few.board(carrier, LEASE_MS, "mine")

    fates = [Fate(f"t{each}", "done", "", f"result of t{each}", "good") for each in range(3)]
    late = Arrival(RequestEnd(used=True), fates, ttl=60)
    assert few.arrive(Delivery(*PLACE, "another"), carrier, late) is None
    assert not client.exists("result of t0")

    assert few.arrive(Delivery(*PLACE, "mine"), carrier, late) == 0
    assert client.get("result of t2") == b"good"
    assert few.arrive(Delivery(*PLACE, "mine"), carrier, late) is None
    assert client.exists("klaviyo:lease", "klaviyo:claimed", "klaviyo:granted", "klaviyo:holder", "klaviyo:riding") == 0
    assert client.hget("klaviyo:bucket:a:single", "flight") == b"0"


def travel(few, client, clock, once=0, **marks):
    """These go in one request, each with its marks; returns the request's id."""
    few.beat("worker", 0, [], 1)
    for name, said in marks.items():
        wait(few, name, carrier=SINGLE, marks=said, once=once)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()
    client.delete("klaviyo.s")
    [carrier] = [each.decode() for each in client.hkeys("klaviyo:riding")]
    return carrier


def test_what_travels_is_not_overtaken_once_another_that_says_the_same_has_been_left_out(few, client, clock):
    carrier = travel(few, client, clock, one=" ada=first", two=" ada=first")
    few.revoke("one", "revoked")
    assert [each.task_id for each in few.board(carrier, LEASE_MS, "tag")] == ["two"]
    client.delete("klaviyo.s")

    wait(few, "three", carrier=SINGLE, marks=" ada=second")
    clock.wait(2)
    few.tick()
    assert client.llen("klaviyo.s") == 0

    few.arrive(Delivery(*PLACE, "tag"), carrier, Arrival(RequestEnd(used=True), [Fate("two", "done")], ttl=60))
    clock.wait(2)
    few.tick()
    assert client.llen("klaviyo.s") == 1


def test_what_a_job_does_not_take_holds_up_nobody_while_the_job_runs(few, client, clock):
    carrier = travel(few, client, clock, one=" ada=first", two=" grace=first")
    client.hset(PLACE[0], "tag", "as it was popped")
    few.board(carrier, LEASE_MS, "tag")
    few.beat("worker", 0, [], 1)
    assert few.hand_over(Delivery(*PLACE, "tag"), carrier, ["one"])
    wait(few, "three", carrier=SINGLE, marks=" grace=second")
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(2)
    few.tick()

    assert client.lrange("klaviyo.s", 0, -1) == [b"message of three", b"message of two"]
    assert client.hkeys("klaviyo:aboard") == [f"{SINGLE.name} ada".encode()]


def test_what_must_not_be_repeated_goes_back_until_workers_have_told_a_new_primary_what_they_sent(few, client, clock):
    few._call("history", "first")
    carrier = travel(few, client, clock, once=1, one="", two="", three="")
    few._call("history", "second")

    assert few.board(carrier, LEASE_MS, "another") == []
    assert few.count() == 3

    few._call("under_way", "one", "", "", "", 0, 1)
    clock.wait(3)
    few.tick()
    assert [sorted(each) for each in riders(client)] == [["three", "two"]]


def test_what_a_new_primary_learns_to_have_been_sent_is_left_out(few, client, clock):
    few._call("history", "first")
    carrier = travel(few, client, clock, once=1, one="", two="", three="")
    few._call("history", "second")
    few._call("under_way", "one", "", "", "", 0, 1)
    clock.wait(3)

    assert [each.task_id for each in few.board(carrier, LEASE_MS, "tag")] == ["two", "three"]
    assert client.lrange("klaviyo.s", 0, -1) == [b"message of one"]


@pytest.mark.parametrize("revoked", [False, True])
def test_what_travels_is_not_claimed_by_a_worker_that_had_it_before(few, client, clock, revoked):
    carrier = travel(few, client, clock, one="", two="", three="")
    if revoked:
        few.revoke("one", "revoked")

    assert few.claim("one", LEASE_MS, False, "the dead").state == "none"

    assert client.hget("klaviyo:lease", "one") == f"|@{carrier}".encode()
    assert len(few.board(carrier, LEASE_MS, "tag")) == 3 - revoked


def test_none_of_those_that_travel_runs_a_second_time_meanwhile(few, client, clock):
    few.beat("worker", 0, [], 1)
    full(few, 3, carrier=SINGLE)
    few.beat("worker", 5, ["klaviyo.s"], 10**6)
    clock.wait(0.02)
    few.tick()
    client.delete("klaviyo:once:t1", "klaviyo.s")

    wait(few, "t1")
    clock.wait(2)
    few.tick()

    assert client.llen("klaviyo.s") == 0
    assert few.count() == 1
