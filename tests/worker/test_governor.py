"""What the governor does with one task, one lease, one answer."""

import pytest

from tests.worker.governing import LEASE, line, released
from worker.api.jsonapi import Quota
from worker.governor import Claim, Delivery, Governor, Settlement
from worker.tiers import QUEUES, Bucket, Limits


def ref(each):
    return each.name, each.spec


def publish(governor, each, *names, lane="now", delay=0.0):
    return [bool(governor.wait(ref(each), lane, name, f"message of {name}", delay)) for name in names]


def answer(governor, name, **end):
    assert governor.claim(name, LEASE, False, "holder").state == "ok"
    return governor.settle(name, Settlement(**{"used": True, **end}), "holder")


def redelivered(client, governor, each, name):
    """What happens to the message of a worker that died."""
    client.hset("unacked", "tag", "as it was popped")
    delivery = Delivery("unacked", "unacked_index", "tag")
    assert governor.restore(delivery, each.queue, ref(each), "now", name, f"message of {name}")


def known(governor, clock, each):
    """Past its probation, with an answer on record."""
    publish(governor, each, f"first of {each.name}")
    answer(governor, f"first of {each.name}")
    clock.wait(61)


def test_a_task_with_room_is_released_as_it_is_published(client, governor):
    each = line()

    assert publish(governor, each, "one") == [True]
    assert released(client, each) == ["one"]


def test_a_task_without_room_waits_in_its_list(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    released(client, each)

    assert publish(governor, each, "one", "two") == [True, False]
    assert client.lrange("klaviyo:now:a:operation", 0, -1) == [b"two"]


def test_a_released_task_counts_until_its_window_has_passed_after_the_answer(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    clock.wait(5)
    answer(governor, "one")
    released(client, each)

    clock.wait(1)
    assert governor.tick() == 0
    clock.wait(0.01)
    assert governor.tick() == 1
    assert released(client, each) == ["two"]


def test_the_now_lane_goes_before_the_bulk_lane(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "running")
    publish(governor, each, "night", lane="bulk")
    publish(governor, each, "customer", lane="now")
    answer(governor, "running")
    released(client, each)

    clock.wait(2)
    governor.tick()

    assert released(client, each) == ["customer"]


def test_a_lane_keeps_the_order_of_publishing(client, governor, clock):
    each = line("3/s 60/m")
    known(governor, clock, each)
    released(client, each)

    publish(governor, each, "one", "two", "three")

    assert released(client, each) == ["one", "two", "three"]


def test_a_request_on_two_buckets_draws_on_all_or_none(client, governor, clock):
    extra = Bucket("include=lists", Limits.parse("1/s 15/m"))
    plain, both = line("3/s 60/m"), line("3/s 60/m", "operation", extra)
    known(governor, clock, plain)
    publish(governor, both, "first of both")
    released(client, both)

    assert publish(governor, both, "second of both") == [False]
    assert publish(governor, plain, "one", "two") == [True, True]
    assert publish(governor, plain, "three") == [False]


def test_an_extra_bucket_is_shared_by_all_operations_of_the_account(client, governor, clock):
    extra = Bucket("include=lists", Limits.parse("1/s 15/m"))
    publish(governor, line("3/s 60/m", "one", extra), "one")

    assert publish(governor, line("3/s 60/m", "two", extra), "two") == [False]


def test_a_refused_request_is_counted_in_no_window(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one")

    answer(governor, "one", used=False, block=3)

    assert client.llen("klaviyo:ring:a:operation") == 1
    assert publish(governor, each, "two") == [False]
    clock.wait(2.9)
    assert governor.tick() == 0
    clock.wait(0.2)
    assert governor.tick() == 1


def test_a_block_of_eighteen_hours_holds_one_bucket_and_no_other(client, governor, clock):
    blocked, other = line(name="blocked"), line(name="other")
    publish(governor, blocked, "one")
    answer(governor, "one", used=False, block=67_608)
    publish(governor, blocked, "two")

    assert publish(governor, other, "three") == [True]
    clock.wait(67_607)
    governor.beat("worker", 1_000, QUEUES, 10**6)
    assert governor.tick() == 0
    clock.wait(2)
    assert governor.tick() == 1


def test_a_429_on_two_buckets_blocks_only_their_combination(client, governor, clock):
    extra = Bucket("include=lists", Limits.parse("1/s 15/m"))
    plain, both = line("3/s 60/m"), line("3/s 60/m", "operation", extra)
    publish(governor, both, "one")

    answer(governor, "one", used=False, block=60)

    assert publish(governor, plain, "two") == [True]
    assert publish(governor, both, "three") == [False]


def test_a_delay_of_any_length_waits_in_redis(client, governor, clock):
    each = line()

    assert publish(governor, each, "late", delay=90_000) == [False]
    assert client.zcard("klaviyo:later:a:operation") == 1
    clock.wait(90_001)
    governor.beat("worker", 1_000, QUEUES, 10**6)
    assert governor.tick() == 1
    assert released(client, each) == ["late"]


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


def test_a_lease_that_nobody_claims_returns_unused(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    released(client, each)

    clock.wait(15.1)
    assert governor.tick() == 1
    assert governor.claim("one", LEASE, False, "late").state == "none"
    assert released(client, each) == ["two"]


def test_a_claimed_lease_that_is_never_settled_counts_as_used_when_it_expires(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    governor.claim("one", LEASE, False, "dies")
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
    governor.claim("two", LEASE, False, "holder")

    governor.release("two")

    assert publish(governor, each, "three") == [False]


def test_a_second_claim_gets_nothing_but_the_same_delivery_may_ask_again(governor):
    publish(governor, line(), "one")

    assert governor.claim("one", LEASE, False, "delivery 1") == Claim("ok", 0)
    assert governor.claim("one", LEASE, False, "delivery 1") == Claim("ok", 0)
    assert governor.claim("one", LEASE, False, "delivery 2") == Claim("none", 0)


def test_a_copy_of_a_running_task_waits_until_its_lease_is_over(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    governor.claim("one", LEASE, False, "delivery 1")
    released(client, each)

    redelivered(client, governor, each, "one")

    assert released(client, each) == []
    clock.wait(61)
    governor.tick()
    assert released(client, each) == ["one"]


def test_a_second_publication_waits_for_a_lease_that_is_claimed_after_it_came(client, governor, clock):
    each = line()
    known(governor, clock, each)
    publish(governor, each, "one")
    released(client, each)
    client.delete("klaviyo:once:one")
    publish(governor, each, "one")
    governor.claim("one", LEASE, False, "delivery 1")

    clock.wait(16)
    governor.tick()

    assert released(client, each) == []


def test_an_unrepeatable_request_that_was_sent_once_is_unknown_the_second_time(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    assert governor.claim("one", LEASE, True, "delivery 1").state == "ok"
    clock.wait(61)
    governor.tick()
    redelivered(client, governor, each, "one")
    governor.tick()

    assert governor.claim("one", LEASE, True, "delivery 2").state == "unknown"


def test_an_unrepeatable_request_that_was_refused_may_be_sent_again(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    governor.claim("one", LEASE, True, "delivery 1")
    governor.settle("one", Settlement(used=False, block=1, forget=True), "delivery 1")
    redelivered(client, governor, each, "one")
    clock.wait(2)
    governor.tick()

    assert governor.claim("one", LEASE, True, "delivery 2").state == "ok"


def test_a_task_is_published_once_however_often_the_publisher_says_it(client, governor, clock):
    each = line()

    assert publish(governor, each, "one", "one") == [True, False]
    assert released(client, each) == ["one"]
    answer(governor, "one")
    publish(governor, each, "one")
    clock.wait(61)
    governor.tick()
    assert released(client, each) == []


def test_a_limit_that_klaviyo_tells_is_adopted_and_told_once(client, governor, clock):
    each = line("3/s 60/m")
    publish(governor, each, "one", "two")

    assert answer(governor, "one", quota=Quota(40, 39, 50)) == 40
    clock.wait(1)
    governor.tick()
    assert answer(governor, "two", quota=Quota(40, 38, 49)) is None
    assert client.hget("klaviyo:bucket:a:operation", "limit") == b"40"


def test_a_limit_that_is_ours_again_is_no_longer_adopted(client, governor, clock):
    each = line("3/s 60/m")
    publish(governor, each, "one", "two")
    answer(governor, "one", quota=Quota(40, 39, 50))
    clock.wait(1)
    governor.tick()

    answer(governor, "two", quota=Quota(60, 58, 49))

    assert client.hget("klaviyo:bucket:a:operation", "limit") is None


def test_what_others_have_used_is_left_to_them_until_the_window_ends(client, governor, clock):
    each = line("10/s 15/m")
    publish(governor, each, "one")
    answer(governor, "one", quota=Quota(15, 2, 30))  # 13 used, one of them ours
    released(client, each)

    publish(governor, each, *(f"task-{n}" for n in range(8)))
    assert len(released(client, each)) == 2
    clock.wait(30.1)
    governor.tick()
    assert len(released(client, each)) == 6


def test_our_own_use_is_not_taken_for_that_of_others(client, governor, clock):
    each = line("10/s 60/m")
    known(governor, clock, each)
    for n in range(5):
        publish(governor, each, f"task-{n}")
        answer(governor, f"task-{n}", quota=Quota(60, 59 - n, 40))
        clock.wait(0.2)

    assert client.hget("klaviyo:bucket:a:operation", "foreign") is None


def test_after_a_flush_an_unknown_bucket_sends_one_request_before_the_rest(client, governor, clock):
    each = line("10/s 150/m")
    client.flushall()
    governor.beat("worker", 1_000, QUEUES, 10**6)

    assert publish(governor, each, "one", "two", "three") == [True, False, False]
    answer(governor, "one", quota=Quota(150, 20, 30))
    assert released(client, each) == ["one"]  # the second of the flush may have been used up before it
    clock.wait(1.1)
    governor.tick()
    assert released(client, each) == ["two", "three"]
    assert client.hget("klaviyo:bucket:a:operation", "foreign") == b"129"


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


def test_a_request_of_this_process_shares_the_budget(governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)

    assert governor.reserve(ref(each), "now-1", LEASE) == 0
    assert governor.reserve(ref(each), "now-2", LEASE) > 0
    governor.settle("now-1", Settlement(used=True))
    assert governor.reserve(ref(each), "now-2", LEASE) == pytest.approx(1.002)


def test_the_tasks_leave_room_for_a_process_that_waits_to_send_itself(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two", "three")
    answer(governor, "one")
    released(client, each)
    assert governor.reserve(ref(each), "now-1", LEASE) > 0

    clock.wait(1.1)
    governor.tick()

    assert released(client, each) == []
    assert governor.reserve(ref(each), "now-1", LEASE) == 0


def test_what_the_workers_take_is_told_until_they_have_taken_leave(governor):
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


def test_a_lease_is_not_closed_by_a_worker_that_no_longer_holds_it(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one")
    governor.claim("one", LEASE, False, "the living")

    governor.settle("one", Settlement(used=True), "the dead")

    assert client.hget("klaviyo:bucket:a:operation", "flight") == b"1"


def test_a_reservation_that_is_asked_for_twice_counts_once(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)

    assert governor.reserve(ref(each), "now-1", LEASE) == governor.reserve(ref(each), "now-1", LEASE) == 0
    assert client.hget("klaviyo:bucket:a:operation", "flight") == b"1"


def test_a_request_of_a_process_takes_no_workers_slot(client, clock):
    governor = Governor(client, clock=clock)
    client.set("klaviyo:born", 1)
    governor.beat("worker", 4, QUEUES, 10**6)
    each = line("350/s 3500/m")
    for n in range(3):
        governor.reserve(ref(each), f"now-{n}", LEASE)

    publish(governor, each, "one")

    assert released(client, each) == ["one"]


def test_an_action_that_changes_its_tier_returns_the_slot_that_it_took(client, governor):
    before = line("10/s 150/m")
    publish(governor, before, "one")
    publish(governor, line("75/s 750/m"), "two")

    answer(governor, "one")
    answer(governor, "two")

    assert set(client.hgetall("klaviyo:out").values()) == {b"0"}


def test_delayed_tasks_run_in_the_order_of_their_times_and_behind_those_that_wait(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    released(client, each)
    for n in (3, 1, 2):
        publish(governor, each, f"late {n}", delay=n)
    publish(governor, each, "first", "second")
    clock.wait(4)

    order = []
    for _ in range(4):
        order += released(client, each)
        answer(governor, order[-1])
        clock.wait(1.1)
        governor.tick()

    assert [*order, *released(client, each)] == ["first", "second", "late 1", "late 2", "late 3"]


def test_lines_that_share_a_bucket_take_turns_and_the_urgent_one_goes_first(client, governor, clock):
    extra = Bucket("extra", Limits.parse("75/s 750/m"))
    plain, both = line("1/s 60/m"), line("1/s 60/m", "operation", extra)
    known(governor, clock, plain)
    released(client, plain)
    publish(governor, plain, "running")
    answer(governor, released(client, plain)[0])
    publish(governor, plain, *(f"bulk {n}" for n in range(20)), lane="bulk")
    publish(governor, both, *(f"shared {n}" for n in range(4)), lane="bulk")
    publish(governor, both, "urgent", lane="now")

    order = []
    for _ in range(5):
        clock.wait(1.1)
        governor.tick()
        order += released(client, plain) + released(client, both)
        answer(governor, order[-1])

    assert order == ["urgent", "bulk 0", "shared 0", "bulk 1", "shared 1"]


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


def test_what_waits_is_worked_off_even_when_redis_is_full(client, governor, clock):
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


def test_an_idle_governor_writes_nothing(client, governor):
    governor.tick()
    client.config_resetstat()

    governor.tick()

    told = client.info("commandstats")
    assert not {"cmdstat_set", "cmdstat_zadd", "cmdstat_hset"} & set(told)


def used_by(client, governor, each, lane, number):
    """How many of so many tasks of a lane are released at once."""
    publish(governor, each, *(f"{lane}{n}" for n in range(number)), lane=lane)
    governor.tick()
    return len(released(client, each))


def after_one(client, governor, clock, lane):
    """A bucket of which one request was answered, in this lane, a minute ago."""
    each = line("40/s 40/m")
    publish(governor, each, "first", lane=lane)
    released(client, each)
    answer(governor, "first")
    clock.wait(61)
    return each


def used_by_bulk(client, governor, each):
    """How many of 50 tasks are released before the window is full."""
    return used_by(client, governor, each, "bulk", 50) + sum(used_by(client, governor, each, "bulk", 0) for _ in "ab")


def test_the_lane_bulk_may_use_all_of_a_window_that_nobody_else_wants(client, governor, clock):
    each = after_one(client, governor, clock, "bulk")

    assert used_by_bulk(client, governor, each) == 40


def test_where_the_lane_now_was_used_lately_bulk_leaves_it_a_twentieth(client, governor, clock):
    each = after_one(client, governor, clock, "now")

    assert used_by_bulk(client, governor, each) == 38
    assert [publish(governor, each, name) for name in ("a", "b", "c")] == [[True], [True], [False]]


def test_ten_minutes_after_the_last_quick_call_nothing_is_kept_for_the_next(client, governor, clock):
    each = after_one(client, governor, clock, "now")
    clock.wait(601)
    governor.beat("worker", 1_000, QUEUES, 10**6)

    assert used_by_bulk(client, governor, each) == 40


def nobody_works(governor):
    """The only worker takes leave: what is published from here on waits."""
    governor.beat("worker", 0, [], 10)


def somebody_works(governor, clock):
    governor.beat("worker", 1_000, QUEUES, 10**6)
    clock.wait(0.1)
    governor.tick()


def parked(client, governor, each, name, delay=0.0, at_head=True, attempt=False):
    client.hset("unacked", name, f'[message of {name},"","{each.queue}"]')
    delivery = Delivery("unacked", "unacked_index", name)
    return governor.park(delivery, ref(each), "now", name, delay, at_head=at_head, attempt=attempt)


def bucket(governor):
    return governor.look()[0].buckets[0]


def test_tasks_that_have_waited_before_go_before_others_in_the_order_of_their_times(client, governor, clock):
    each = line("9/s 60/m")
    known(governor, clock, each)
    released(client, each)
    nobody_works(governor)
    publish(governor, each, "new")
    parked(client, governor, each, "second", delay=2)
    parked(client, governor, each, "first", delay=1)
    clock.wait(3)

    somebody_works(governor, clock)

    assert released(client, each) == ["first", "second", "new"]


def test_a_task_goes_back_to_the_head_or_to_the_tail_as_is_said(client, governor, clock):
    each = line("9/s 60/m")
    known(governor, clock, each)
    released(client, each)
    nobody_works(governor)
    publish(governor, each, "new")
    parked(client, governor, each, "head")
    parked(client, governor, each, "tail", at_head=False)

    somebody_works(governor, clock)

    assert released(client, each) == ["head", "new", "tail"]


def test_what_a_dead_worker_held_goes_before_what_has_not_been_tried(client, governor, clock):
    each = line("9/s 60/m")
    known(governor, clock, each)
    released(client, each)
    nobody_works(governor)
    publish(governor, each, "new")
    redelivered(client, governor, each, "old")

    somebody_works(governor, clock)

    assert released(client, each) == ["old", "new"]


def test_a_delivery_that_is_no_longer_on_record_does_not_come_back(client, governor):
    each = line()

    gone = Delivery("unacked", "unacked_index", "tag")

    assert not governor.restore(gone, each.queue, ref(each), "now", "one", "message of one")
    governor.tick()
    assert released(client, each) == []


def test_a_lease_cannot_be_claimed_when_its_time_is_over_even_if_nobody_has_looked(client, governor, clock):
    publish(governor, line(), "one")
    clock.wait(15.1)

    assert governor.claim("one", LEASE, False, "holder").state == "none"


def test_only_an_attempt_counts_as_one_and_a_task_that_is_over_has_none(client, governor):
    each = line()

    counts = [
        parked(client, governor, each, "one", delay=60, attempt=attempt) for attempt in (False, True, False, True)
    ]
    governor.done("one")

    assert counts == [0, 1, 1, 2]
    assert parked(client, governor, each, "one", delay=60, attempt=True) == 1


def test_a_shorter_wait_does_not_end_a_longer_one(client, governor, clock):
    each = line()
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    released(client, each)
    answer(governor, "one", used=False, block=60)
    answer(governor, "two", used=False, block=1)

    clock.wait(59)
    publish(governor, each, "three")
    assert released(client, each) == []
    clock.wait(1.1)
    governor.tick()
    assert released(client, each) == ["three"]


def test_a_process_that_has_sent_leaves_the_room_that_it_waited_for(client, governor, clock):
    each = line("2/s 60/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    assert governor.reserve(ref(each), "now-1", LEASE) > 0
    answer(governor, "one")
    answer(governor, "two")
    released(client, each)
    clock.wait(1.1)
    assert governor.reserve(ref(each), "now-1", LEASE) == 0

    publish(governor, each, "three")

    assert released(client, each) == ["three"]


def test_a_worker_that_is_not_heard_of_any_more_has_no_room(governor, clock):
    governor.beat("dead", 400, QUEUES, 5)
    clock.wait(6)

    governor.beat("worker", 40, QUEUES, 10)

    assert set(governor.slots().values()) == {30}


def sent_over_time(client, governor, clock, each, number, seconds, **end):
    """How many of so many tasks, published one after the other and answered at once, are sent."""
    count = 0
    for n in range(number):
        publish(governor, each, f"task {clock.ms} {n}")
        for name in released(client, each):
            answer(governor, name, **end)
            count += 1
        clock.wait(seconds)
    return count


def test_the_oldest_answer_that_counts_is_not_forgotten(client, governor, clock):
    each = line("3/s 3/m")
    known(governor, clock, each)
    released(client, each)
    assert sent_over_time(client, governor, clock, each, 3, 19) == 3

    publish(governor, each, "fourth")
    assert released(client, each) == []
    clock.wait(3.1)
    governor.tick()
    assert released(client, each) == ["fourth"]


def test_of_a_larger_limit_that_was_adopted_all_answers_are_remembered(client, governor, clock):
    each = line("5/s 10/m")
    known(governor, clock, each)
    released(client, each)
    publish(governor, each, "told")
    answer(governor, "told", quota=Quota(20, 19, 59))
    released(client, each)
    clock.wait(61)

    assert sent_over_time(client, governor, clock, each, 30, 0.3) == 20


def test_a_days_window_holds_for_a_day(client, governor, clock):
    each = line("5/s 15/m 20/d")
    known(governor, clock, each)
    released(client, each)

    assert sent_over_time(client, governor, clock, each, 40, 5) == 19
    clock.wait(80_000)
    governor.tick()
    assert released(client, each) == []
    clock.wait(7_000)
    governor.tick()
    assert len(released(client, each)) == 5


def test_what_a_window_has_seen_is_kept_for_longer_than_the_window(client, governor, clock):
    publish(governor, line(), "one")
    answer(governor, "one")

    rings = list(client.scan_iter("klaviyo:ring:*"))

    assert rings
    assert all(client.pttl(ring) > 60_000 for ring in rings)


def test_others_use_that_an_older_answer_does_not_show_is_not_forgotten(client, governor, clock):
    each = line("9/s 60/m")
    known(governor, clock, each)
    released(client, each)
    publish(governor, each, "one", "two")
    answer(governor, "one", quota=Quota(60, 10, 30))
    seen = bucket(governor).foreign
    clock.wait(1)

    answer(governor, "two", quota=Quota(60, 40, 29))

    assert seen >= 40
    assert bucket(governor).foreign == seen


def test_a_task_whose_outcome_is_unknown_holds_no_room(client, governor, clock):
    each = line()
    publish(governor, each, "one")
    assert governor.claim("one", LEASE, True, "first").state == "ok"
    clock.wait(61)
    governor.tick()
    redelivered(client, governor, each, "one")
    governor.tick()

    assert governor.claim("one", LEASE, True, "second").state == "unknown"

    assert bucket(governor).flight == 0


def test_of_lines_that_share_a_bucket_the_one_that_somebody_waits_for_goes_first(client, governor, clock):
    shared = Bucket("shared", Limits.parse("1/s 60/m"))
    quiet, quick = line("9/s 60/m", "quiet", shared), line("9/s 60/m", "quick", shared)
    publish(governor, quick, "first")
    answer(governor, "first")
    released(client, quick)
    clock.wait(61)
    publish(governor, quick, "second")
    answer(governor, "second")
    released(client, quick)
    publish(governor, quiet, "bulk", lane="bulk")
    publish(governor, quick, "third")

    clock.wait(1.1)
    governor.tick()

    assert released(client, quick) == ["third"]
