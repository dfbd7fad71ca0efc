"""Leases: claimed once, given back, expired, closed; and what a second claim is told."""

import pytest

from tests.worker.governing import LEASE_MS, bucket, known, line, publish, redelivered, released
from worker.governor import Claim, RequestEnd


def test_a_lease_that_nobody_claims_returns_unused(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    released(client, each)

    clock.wait(15.1)
    assert governor.tick() == 1
    assert governor.claim("one", LEASE_MS, False, "late").state == "none"
    assert released(client, each) == ["two"]


def test_a_claimed_lease_that_is_never_closed_counts_as_used_when_it_expires(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    governor.claim("one", LEASE_MS, False, "dies")
    released(client, each)

    clock.wait(60.1)
    assert governor.tick() == 0
    clock.wait(1.1)
    assert governor.tick() == 1
    assert client.llen("klaviyo:ring:a:operation") == 2


def test_a_lease_that_was_not_claimed_can_be_given_back_and_a_claimed_one_cannot(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one")
    governor.release("one")
    assert publish(governor, each, "two") == [True]
    governor.claim("two", LEASE_MS, False, "holder")

    governor.release("two")

    assert publish(governor, each, "three") == [False]


def test_a_second_claim_gets_nothing_but_the_same_delivery_may_ask_again(governor):
    publish(governor, line(), "one")

    assert governor.claim("one", LEASE_MS, False, "delivery 1") == Claim("ok", 0)
    assert governor.claim("one", LEASE_MS, False, "delivery 1") == Claim("ok", 0)
    assert governor.claim("one", LEASE_MS, False, "delivery 2") == Claim("none", 0)


def test_a_copy_of_a_running_task_waits_until_its_lease_is_over(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    governor.claim("one", LEASE_MS, False, "delivery 1")
    released(client, each)

    redelivered(client, governor, each, "one")

    assert released(client, each) == []
    clock.wait(61)
    governor.tick()
    assert released(client, each) == ["one"]


def test_a_second_publication_waits_for_a_lease_claimed_after_it_arrived(client, governor, clock):
    each = line()
    known(governor, clock, each)
    publish(governor, each, "one")
    released(client, each)
    client.delete("klaviyo:once:one")
    publish(governor, each, "one")
    governor.claim("one", LEASE_MS, False, "delivery 1")

    clock.wait(16)
    governor.tick()

    assert released(client, each) == []


def test_an_unrepeatable_request_that_was_sent_once_is_unknown_the_second_time(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    assert governor.claim("one", LEASE_MS, True, "delivery 1").state == "ok"
    clock.wait(61)
    governor.tick()
    redelivered(client, governor, each, "one")
    governor.tick()

    assert governor.claim("one", LEASE_MS, True, "delivery 2").state == "unknown"


def test_an_unrepeatable_request_that_was_refused_may_be_sent_again(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    governor.claim("one", LEASE_MS, True, "delivery 1")
    governor.close_lease("one", RequestEnd(used=False, block=1, forget=True), "delivery 1")
    redelivered(client, governor, each, "one")
    clock.wait(2)
    governor.tick()

    assert governor.claim("one", LEASE_MS, True, "delivery 2").state == "ok"


def test_a_lease_is_not_closed_by_a_worker_that_no_longer_holds_it(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one")
    governor.claim("one", LEASE_MS, False, "the living")

    governor.close_lease("one", RequestEnd(used=True), "the dead")

    assert client.hget("klaviyo:bucket:a:operation", "flight") == b"1"


@pytest.mark.parametrize("unclaimed", [False, True])
def test_what_was_granted_since_its_lease_ran_out_is_not_a_workers_to_close(client, governor, clock, unclaimed):
    each = line()
    publish(governor, each, "one")
    governor.claim("one", LEASE_MS, True, "the dead")
    clock.wait(LEASE_MS / 1000 + 1)
    redelivered(client, governor, each, "one")
    governor.tick()
    if not unclaimed:
        assert governor.claim("one", LEASE_MS, False, "the living").state == "ok"

    governor.close_lease("one", RequestEnd(used=False, forget=True), "the dead")

    assert client.hexists("klaviyo:lease", "one")
    # What the dead has certainly not sent may be sent, unless somebody is about to.
    assert client.exists("klaviyo:sent:one") == (not unclaimed)


def test_an_expired_lease_cannot_be_claimed_even_before_a_tick_has_noticed(client, governor, clock):
    publish(governor, line(), "one")
    clock.wait(15.1)

    assert governor.claim("one", LEASE_MS, False, "holder").state == "none"


def test_a_task_whose_outcome_is_unknown_holds_no_room(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    assert governor.claim("one", LEASE_MS, True, "first").state == "ok"
    clock.wait(61)
    governor.tick()
    redelivered(client, governor, each, "one")
    governor.tick()

    assert governor.claim("one", LEASE_MS, True, "second").state == "unknown"

    assert bucket(governor).flight == 0
