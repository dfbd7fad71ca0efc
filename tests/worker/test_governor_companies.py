"""Accounts whose private keys belong to one company draw on one budget."""

import pytest

from tests.worker.governing import answer, publish, ref, released
from worker.governor import RequestEnd
from worker.tiers import Bucket, Limits, Line


def line(account, limits="2/s 15/m", name="operation"):
    return Line(account, (Bucket(name, Limits.parse(limits)),))


A, B, C = map(line, "abc")


@pytest.fixture
def joined(client, governor):
    """Accounts a and b have keys of one company, account c one of another."""
    for account, company in (("b", "Xy7"), ("a", "Xy7"), ("c", "Zz9")):
        governor.join(account, f"key of {account}", company)
    client.set("klaviyo:born", 1)
    return governor


def flights(governor, *lines):
    return [governor.look_at(each.name).buckets[0].flight for each in lines]


def test_their_requests_fill_one_window_and_no_other(joined):
    assert publish(joined, A, "one") == [True]
    assert publish(joined, B, "two") == [True]

    assert publish(joined, B, "three") == publish(joined, A, "four") == [False]
    assert publish(joined, C, "five", "six") == [True, True]
    assert flights(joined, A, B, C) == [2, 2, 2]


def test_a_429_for_one_holds_the_other(joined, clock):
    publish(joined, A, "one")
    answer(joined, "one", used=False, block=5)

    assert publish(joined, B, "two") == [False]
    clock.wait(5.1)
    assert joined.tick() == 1


@pytest.mark.parametrize("reason", ["", "replicas have not confirmed it"])
def test_only_a_429_before_they_were_joined_holds_the_other(client, governor, reason):
    client.set("klaviyo:born", 1)
    publish(governor, A, "one")
    publish(governor, B, "two")
    answer(governor, "one", used=False, block=5, block_reason=reason)
    answer(governor, "two", used=False, block=5, block_reason=reason)
    client.hdel("klaviyo:blocked", A.name)
    client.hdel("klaviyo:block_reasons", A.name)
    for account in "ab":
        governor.join(account, f"key of {account}", "Xy7")

    assert publish(governor, A, "three") == [bool(reason)]


def test_what_one_keeps_for_the_lane_now_the_bulk_of_the_other_leaves(joined):
    """A twentieth of each window, once the bucket was used in the lane now."""
    wide = {each: line(each, "40/s 600/m", "wide") for each in "ab"}
    publish(joined, wide["b"], "urgent")
    publish(joined, wide["a"], *(f"bulk-{number}" for number in range(50)), lane="bulk")

    assert flights(joined, wide["a"]) == [38]
    assert publish(joined, wide["b"], "one", "two") == [True, True]


def test_a_request_of_a_process_of_its_own_counts_for_both(joined):
    assert [joined.reserve(ref(each), each.name, 60_000) for each in (A, B)] == [0, 0]

    assert joined.reserve(ref(A), "another", 60_000) > 0


def test_what_was_out_and_used_when_it_became_known_counts_on(client, governor, clock):
    client.set("klaviyo:born", 1)
    publish(governor, A, "used by a")
    publish(governor, B, "used by b", "out")
    answer(governor, "used by a")
    answer(governor, "used by b")
    assert [governor.join(each, f"key of {each}", "Xy7") for each in "ba"] == [0, 1]

    assert flights(governor, A, B) == [1, 1]
    assert [governor.look_at(each.name).buckets[0].windows[1][0] for each in (A, B)] == [3, 3]
    answer(governor, "out")
    assert flights(governor, A, B) == [0, 0]
    assert publish(governor, A, "next") == [False]
    clock.wait(1.1)
    assert governor.tick() == 1
    assert released(client, A)[-1] == "next"


def test_over_a_minute_both_send_as_many_as_one_may(client, joined, clock):
    for each in (A, B):
        publish(joined, each, *(f"{each.account}-{number}" for number in range(20)), lane="bulk")
    sent = 0
    for _ in range(590):
        for name in released(client, A):
            answer(joined, name)
            sent += 1
        clock.wait(0.1)
        joined.tick()

    assert sent == 15


def test_another_key_of_another_company_has_a_budget_of_its_own(joined):
    publish(joined, A, "one")
    publish(joined, B, "two")
    publish(joined, C, "three")

    assert joined.join("b", "another key", "Zz9") == 2  # b is before c

    assert flights(joined, A, B, C) == [1, 2, 2]
    assert joined.companies()["b"] == ("another key", "Zz9")
    answer(joined, "one")
    answer(joined, "two")
    assert flights(joined, A, B, C) == [0, 1, 1]


def test_the_first_by_name_may_leave(joined):
    publish(joined, A, "one")
    publish(joined, B, "two")
    joined.join("ab", "a third key", "Xy7")

    assert joined.join("a", "", "") == 2

    assert flights(joined, A, B) == [1, 1]
    assert "a" not in joined.companies()
    for name in ("one", "two"):
        joined.claim(name, 60_000, False, "holder")
        joined.close_lease(name, RequestEnd(used=False), "holder")
    assert flights(joined, A, B) == [0, 0]


def test_what_is_joined_again_is_not_counted_twice(governor, client):
    client.set("klaviyo:born", 1)
    publish(governor, A, "one")
    publish(governor, B, "two")
    answer(governor, "one")
    answer(governor, "two")
    governor.join("a", "key", "Xy7")
    for company in ("Xy7", "Zz9", "Xy7"):
        governor.join("b", "key", company)

    used, *_ = governor.look_at(A.name).buckets[0].windows[1]
    assert used == 2
