"""In which order the governor releases tasks: lanes, delays, and lines that share a bucket."""

from tests.worker.governing import (
    answer,
    known,
    line,
    nobody_works,
    parked,
    publish,
    redelivered,
    released,
    somebody_works,
)
from worker.tiers import QUEUES, Bucket, Limits


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


def test_a_delay_of_any_length_waits_in_redis(client, governor, clock):
    each = line()

    assert publish(governor, each, "late", delay=90_000) == [False]
    assert client.zcard("klaviyo:later:a:operation") == 1
    clock.wait(90_001)
    governor.beat("worker", 1_000, QUEUES, 10**6)
    assert governor.tick() == 1
    assert released(client, each) == ["late"]


def test_a_task_is_published_once_however_often_the_publisher_repeats_it(client, governor, clock):
    each = line()

    assert publish(governor, each, "one", "one") == [True, False]
    assert released(client, each) == ["one"]
    answer(governor, "one")
    publish(governor, each, "one")
    clock.wait(61)
    governor.tick()
    assert released(client, each) == []


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


def test_lines_that_share_a_bucket_run_unless_aways_and_the_urgent_one_goes_first(client, governor, clock):
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


def test_the_bulk_lane_may_use_a_whole_window_that_nobody_else_wants(client, governor, clock):
    each = after_one(client, governor, clock, "bulk")

    assert used_by_bulk(client, governor, each) == 40


def test_where_the_now_lane_was_used_lately_the_bulk_lane_leaves_it_a_twentieth(client, governor, clock):
    each = after_one(client, governor, clock, "now")

    assert used_by_bulk(client, governor, each) == 38
    assert [publish(governor, each, name) for name in ("a", "b", "c")] == [[True], [True], [False]]


def test_ten_minutes_after_the_last_urgent_call_nothing_is_held_back_for_the_next(client, governor, clock):
    each = after_one(client, governor, clock, "now")
    clock.wait(601)
    governor.beat("worker", 1_000, QUEUES, 10**6)

    assert used_by_bulk(client, governor, each) == 40


def test_tasks_put_back_go_before_others_in_the_order_of_their_times(client, governor, clock):
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


def test_a_task_goes_back_to_the_head_or_the_tail_as_asked(client, governor, clock):
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


def test_among_lines_that_share_a_bucket_the_one_somebody_waits_for_goes_first(client, governor, clock):
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
