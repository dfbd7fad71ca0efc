"""What counts against a limit: answers, blocks, limits that Klaviyo states, and what others have used."""

from tests.worker.governing import answer, bucket, known, line, publish, released
from worker.api.jsonapi import Quota
from worker.tiers import QUEUES, Bucket, Limits


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


def test_a_task_that_comes_just_before_a_window_has_passed_waits(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one")
    answer(governor, "one")
    released(client, each)

    clock.wait(0.99)
    assert publish(governor, each, "two") == [False]
    clock.wait(0.02)
    governor.tick()
    assert released(client, each) == ["two"]


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


def test_a_block_says_why_unless_klaviyo_has_answered_429(client, governor, clock):
    each = line("3/s 60/m")
    publish(governor, each, "one", "two", "three")
    answer(governor, "one", used=False, block=5, block_reason="no token yet")
    assert governor.look_at(each.name).block_reason == "no token yet"

    answer(governor, "two", used=False, block=2)
    assert governor.look_at(each.name).block_reason == "no token yet", "the longer block holds it"
    answer(governor, "three", used=False, block=10)
    assert governor.look_at(each.name).block_reason == ""

    clock.wait(10.1)
    assert publish(governor, each, "four") == [True]
    answer(governor, "four", used=False, block=5, block_reason="no token yet")
    clock.wait(5.1)
    assert publish(governor, each, "five") == [True]
    assert not client.exists("klaviyo:blocked", "klaviyo:block_reasons")


def test_a_line_that_waits_for_something_else_than_klaviyo_holds_up_no_other(client, governor, clock):
    extra = Bucket("include=lists", Limits.parse("1/s 15/m"))
    plain, both = line("3/s 60/m"), line("3/s 60/m", "operation", extra)
    publish(governor, both, "one")

    answer(governor, "one", used=False, block=60, block_reason="no token yet")

    assert publish(governor, plain, "two") == [True]
    assert governor.look_at(both.name).block_reason == "no token yet"


def test_what_klaviyo_did_not_answer_is_no_sign_that_it_answers_again(client, governor, clock):
    each = line("3/s 60/m")
    publish(governor, each, "one", "two", "three")
    answer(governor, "one", unanswered=True)

    answer(governor, "two", used=False, block=1, block_reason="no token yet")
    assert client.hexists("klaviyo:unanswered", "a")
    answer(governor, "three", used=False, block=1)
    assert not client.exists("klaviyo:unanswered")


def test_a_429_on_two_buckets_blocks_only_their_combination(client, governor, clock):
    extra = Bucket("include=lists", Limits.parse("1/s 15/m"))
    plain, both = line("3/s 60/m"), line("3/s 60/m", "operation", extra)
    publish(governor, both, "one")

    answer(governor, "one", used=False, block=60)

    assert publish(governor, plain, "two") == [True]
    assert publish(governor, both, "three") == [False]


def test_a_limit_that_klaviyo_states_is_adopted_and_reported_once(client, governor, clock):
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


def test_all_answers_within_an_adopted_larger_limit_are_remembered(client, governor, clock):
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


def test_answers_are_kept_for_longer_than_their_window(client, governor, clock):
    publish(governor, line(), "one")
    answer(governor, "one")

    rings = list(client.scan_iter("klaviyo:ring:*"))

    assert rings
    assert all(client.pttl(ring) > 60_000 for ring in rings)


def test_an_older_answer_does_not_erase_what_others_have_used(client, governor, clock):
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
