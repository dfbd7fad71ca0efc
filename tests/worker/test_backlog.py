"""What waits, as it is read for whoever watches."""

from tests.worker.governing import line, nobody_works, publish
from worker.governor.backlog import read_backlog, read_waiting


def test_lines_in_which_nothing_waits_are_left_out(client, governor):
    assert read_backlog(governor) == []
    nobody_works(governor)
    publish(governor, line(name="full"), "a", "b")
    publish(governor, line(name="full"), "c", lane="bulk")
    publish(governor, line(name="full"), "d", delay=60)

    [found] = read_backlog(governor)
    assert (found.line, found.queue, found.now, found.bulk, found.later) == (
        line(name="full").name,
        line().queue,
        2,
        1,
        1,
    )
    assert found.total == 4


def test_a_line_that_is_paused_is_not(client, governor):
    nobody_works(governor)
    publish(governor, line(), "a")
    governor.pause("account:a", "somebody", "why", since=0.0)
    governor.tick()

    assert [each.now for each in read_backlog(governor)] == [1]


def test_both_ends_of_a_long_lane_are_read_with_their_places(client, governor):
    nobody_works(governor)
    publish(governor, line(), *(f"task-{number}" for number in range(1, 8)))
    publish(governor, line(), "later", delay=60)
    [found] = read_backlog(governor)

    tasks = {each.id: each for each in read_waiting(client, found, 2, known={"task-1"})}
    assert {id: each.place for id, each in tasks.items()} == {
        "task-1": 1, "task-2": 2, "task-6": 6, "task-7": 7, "later": 0,
    }  # fmt: skip
    assert tasks["later"].not_before is not None
    assert tasks["task-2"].message == b"message of task-2"
    assert tasks["task-1"].message is None


def test_a_short_lane_is_read_once(client, governor):
    nobody_works(governor)
    publish(governor, line(), "a", "b", "c")
    [found] = read_backlog(governor)

    assert [(each.id, each.place) for each in read_waiting(client, found, 2, ())] == [("c", 3), ("a", 1), ("b", 2)]
