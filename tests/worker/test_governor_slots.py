"""How much is released at once: the workers' slots, and requests that a process sends itself."""

import pytest

from tests.worker.governing import LEASE_MS, answer, known, line, publish, ref, released
from worker.governor import Governor, RequestEnd
from worker.tiers import QUEUES


def test_nothing_is_released_while_no_worker_lives(client, clock):
    governor = Governor(client, clock=clock)

    assert publish(governor, line(), "one") == [False]
    governor.beat("worker", 4, QUEUES, 10**6)
    clock.wait(0.02)
    assert governor.tick() == 1


def test_no_more_is_released_than_the_workers_have_room_for(client, clock):
    governor = Governor(client, clock=clock)
    governor.beat("worker", 4, QUEUES, 10**6)
    each = line("350/s 3500/m")
    known(governor, clock, each)
    released(client, each)

    publish(governor, each, *(f"task-{n}" for n in range(20)))

    assert len(released(client, each)) == 3  # a quarter of the slots is left to the other tiers


def test_a_request_of_this_process_shares_the_budget(governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)

    assert governor.reserve(ref(each), "now-1", LEASE_MS) == 0
    assert governor.reserve(ref(each), "now-2", LEASE_MS) > 0
    governor.close_lease("now-1", RequestEnd(used=True))
    assert governor.reserve(ref(each), "now-2", LEASE_MS) == pytest.approx(1.002)


def test_the_tasks_leave_room_for_a_process_that_waits_to_send_itself(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two", "three")
    answer(governor, "one")
    released(client, each)
    assert governor.reserve(ref(each), "now-1", LEASE_MS) > 0

    clock.wait(1.1)
    governor.tick()

    assert released(client, each) == []
    assert governor.reserve(ref(each), "now-1", LEASE_MS) == 0


def test_the_tasks_take_the_room_of_a_process_that_has_given_up_waiting(client, governor, clock):
    each = line("60/s 2/m")
    known(governor, clock, each)
    for name, seconds in (("one", 50), ("two", 9)):
        publish(governor, each, name)
        answer(governor, name)
        clock.wait(seconds)
    released(client, each)
    assert governor.reserve(ref(each), "now-1", LEASE_MS) == pytest.approx(1, abs=0.1)
    publish(governor, each, "three")

    clock.wait(1.1)
    governor.tick()
    assert released(client, each) == []

    clock.wait(2)
    governor.tick()
    assert released(client, each) == ["three"]


def test_the_slots_of_workers_are_known_until_they_sign_off(governor):
    assert set(governor.slots()) == set(QUEUES)

    governor.beat("worker", 0, QUEUES, 10**6)
    assert governor.slots() == {}


def test_slots_are_shared_fairly_among_lines_of_one_queue(client, clock):
    governor = Governor(client, clock=clock)
    one, two = line("350/s 3500/m", "one"), line("350/s 3500/m", "two")
    client.set("klaviyo:born", 1)  # long ago
    publish(governor, one, *(f"one-{n}" for n in range(300)))
    publish(governor, two, *(f"two-{n}" for n in range(300)))
    governor.beat("worker", 80, QUEUES, 10**6)

    for _ in range(10):
        clock.wait(0.02)
        governor.tick()

    names = [name.split("-")[0] for name in released(client, one)]
    assert len(names) == 60
    assert 20 <= names.count("one") <= 40


def test_a_reservation_requested_twice_counts_once(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)

    assert governor.reserve(ref(each), "now-1", LEASE_MS) == governor.reserve(ref(each), "now-1", LEASE_MS) == 0
    assert client.hget("klaviyo:bucket:a:operation", "flight") == b"1"


def test_a_request_sent_in_process_takes_no_worker_slot(client, clock):
    governor = Governor(client, clock=clock)
    client.set("klaviyo:born", 1)
    governor.beat("worker", 4, QUEUES, 10**6)
    each = line("350/s 3500/m")
    for n in range(3):
        governor.reserve(ref(each), f"now-{n}", LEASE_MS)

    publish(governor, each, "one")

    assert released(client, each) == ["one"]


def test_an_action_that_changes_its_tier_returns_the_slot_that_it_took(client, governor):
    before = line("10/s 150/m")
    publish(governor, before, "one")
    publish(governor, line("75/s 750/m"), "two")

    answer(governor, "one")
    answer(governor, "two")

    assert set(client.hgetall("klaviyo:out").values()) == {b"0"}


def test_a_process_that_has_sent_no_longer_holds_the_room_it_waited_for(client, governor, clock):
    each = line("2/s 60/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    assert governor.reserve(ref(each), "now-1", LEASE_MS) > 0
    answer(governor, "one")
    answer(governor, "two")
    released(client, each)
    clock.wait(1.1)
    assert governor.reserve(ref(each), "now-1", LEASE_MS) == 0

    publish(governor, each, "three")

    assert released(client, each) == ["three"]


def test_a_worker_that_falls_silent_has_no_slots(governor, clock):
    governor.beat("dead", 400, QUEUES, 5)
    clock.wait(6)

    governor.beat("worker", 40, QUEUES, 10)

    assert set(governor.slots().values()) == {30}
