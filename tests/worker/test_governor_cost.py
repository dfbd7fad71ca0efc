"""What the governor asks of Redis: few commands, and none in vain."""

import re

from tests.worker.governing import answer, known, line, nobody_works, publish, released
from worker.api.jsonapi import Quota
from worker.governor import Delivery, RequestEnd, TaskEnd
from worker.tiers import Line

RING = "klaviyo:ring:a:operation"


def due(client, each):
    return client.zscore("klaviyo:due", each.name)


def commands(client, work):
    """How many commands something costs, those within scripts included; not that a new server is given the scripts."""
    client.config_resetstat()
    work()
    counted = client.info("commandstats").items()
    return sum(told["calls"] - told["failed_calls"] for name, told in counted if not re.search("config|script", name))


def test_an_idle_turn_only_looks_whether_anything_is_due(client, governor):
    governor.tick()

    assert commands(client, governor.tick) <= 7


def test_a_task_that_is_released_costs_few_commands(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two", lane="bulk")
    answer(governor, "one")
    clock.wait(1.1)

    # One of these asks whose buckets the account draws on, one whether anything may travel together, three whether
    # accounts have to share the slots.
    assert commands(client, governor.tick) <= 38
    assert released(client, each)[-1] == "two"


def test_the_end_of_several_tasks_costs_few_commands_each(client, governor, clock):
    each = line("10/s 150/m")
    known(governor, clock, each)
    names = [f"task-{number}" for number in range(8)]
    publish(governor, each, *names)
    for name in names:
        governor.claim(name, 60_000, False, name)
    ends = [
        TaskEnd(name, Delivery("unacked", "index", name), RequestEnd(used=True), name, b"over", 60) for name in names
    ]

    assert commands(client, lambda: governor.finish(ends)) <= 8 * 4 + 5


def test_several_tasks_end_though_the_leases_of_some_have_run_out(client, governor, clock):
    each, other = line("10/s 150/m"), line("10/s 150/m", "another")
    for one in (each, other):
        known(governor, clock, one)
    publish(governor, each, "one")
    publish(governor, other, "two")
    for name in ("one", "two"):
        governor.claim(name, 60_000, False, name)
    ends = [
        TaskEnd(name, Delivery("unacked", "index", name), RequestEnd(used=True), name, b"over", 60)
        for name in ("one", "never leased", "two", "unknown")
    ]

    assert governor.finish(ends) == [0, 0, 0, 0]
    assert client.mget("one", "never leased", "two", "unknown") == [b"over"] * 4


def test_an_answer_does_not_have_a_line_looked_at_that_waits_for_a_known_time(client, governor, clock):
    each = line("3/s 3/m")
    known(governor, clock, each)
    publish(governor, each, "one")
    answer(governor, "one")
    clock.wait(2)
    publish(governor, each, "two", "three", "four")
    answer(governor, "two")
    clock.wait(1)
    governor.tick()
    known_time = due(client, each)
    assert known_time > clock.ms + 50_000

    answer(governor, "three")

    assert due(client, each) == known_time


def test_a_line_whose_window_an_answer_fills_is_looked_at_when_that_window_has_passed(client, governor, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two")
    assert due(client, each) == clock.ms + 50

    answer(governor, "one")

    assert due(client, each) == clock.ms + 1_002


def test_a_line_is_looked_at_as_soon_as_klaviyo_allows_more(client, governor, clock):
    each = line("9/s 3/m")
    known(governor, clock, each)
    publish(governor, each, "one", "two", "three", "four")
    answer(governor, "one")
    answer(governor, "two")
    released(client, each)

    answer(governor, "three", quota=Quota(60, 57, 50))

    assert released(client, each) == ["four"]


def test_what_others_have_left_goes_when_their_window_ends_though_nothing_is_under_way(client, governor, clock):
    each = line("10/s 15/m")
    publish(governor, each, "one")
    answer(governor, "one", quota=Quota(15, 2, 30))  # 13 used, one of them ours
    publish(governor, each, *(f"task-{number}" for number in range(4)))
    for name in released(client, each)[1:]:
        answer(governor, name)
    released(client, each)
    clock.wait(20)
    governor.tick()
    assert released(client, each) == []

    clock.wait(10.1)
    governor.tick()

    assert released(client, each) == ["task-2", "task-3"]


def test_a_ring_is_cut_now_and_then_to_what_its_windows_need(client, governor, clock):
    each = line("3/s 3/m")
    known(governor, clock, each)
    lengths = []
    for number in range(70):
        clock.wait(21)
        publish(governor, each, f"task-{number}")
        answer(governor, f"task-{number}")
        lengths.append(client.llen(RING))

    assert min(lengths[5:]) == 3
    assert max(lengths) == 3 + 64


def test_a_ring_outlives_its_longest_window_by_every_answer(client, governor, clock):
    each = line("3/s 60/m")
    known(governor, clock, each)
    for left in (1_000, 59_000, 69_000):
        clock.wait(2)
        client.pexpire(RING, left)
        publish(governor, each, f"task-{left}")
        answer(governor, f"task-{left}")
        assert client.pttl(RING) > 75_000

    clock.wait(2)
    client.pexpire(RING, 80_000)
    publish(governor, each, "the last")
    answer(governor, "the last")
    assert client.pttl(RING) <= 80_000, "to write it down each time would cost as much as the answer"


def test_only_the_lines_that_are_asked_for_are_looked_at(client, governor):
    lines = [line(name=f"operation-{number}") for number in range(120)]
    for each in lines:
        publish(governor, each, f"task of {each.name}")

    assert [look.line for look in governor.look([lines[7].name, "unknown:line", lines[3].name])] == [
        lines[3].name, lines[7].name
    ]  # fmt: skip
    assert len(governor.look()) == 120
    assert commands(client, lambda: governor.look([lines[7].name])) < 20


def test_the_lines_of_one_account_are_told(governor):
    other = Line("another", line().buckets)
    publish(governor, line(), "one")
    publish(governor, other, "two")

    assert governor.lines("another") == [other.name]
    assert sorted(governor.lines()) == sorted([line().name, other.name])


def test_a_line_whose_tasks_are_held_by_a_pause_is_in_use(governor):
    nobody_works(governor)
    publish(governor, line(), "one")
    governor.pause("account:a", "somebody", "why", since=0.0)
    governor.tick()

    assert governor.used_lines() == [line().name]


def test_a_line_is_in_use_while_something_waits_or_its_windows_may_remember(client, governor, clock):
    today, waiting, lately = line("1/s 15/m 225/d", "today"), line(name="waiting"), line(name="lately")
    direct = line(name="direct")
    publish(governor, today, "one")
    publish(governor, line(name="long ago"), "two")
    client.hset("klaviyo:blocked", "a:blocked", clock.ms + 60_000)
    clock.wait(200)
    publish(governor, lately, "three")
    publish(governor, waiting, "four", delay=60)
    governor.reserve((direct.name, direct.spec), "now-1", 60_000)

    assert sorted(governor.used_lines()) == ["a:blocked", direct.name, lately.name, today.name, waiting.name]
