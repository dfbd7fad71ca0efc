"""The ends of tasks, which are left to one thread: told together, once each, and whatever happens to Redis."""

import threading

import pytest

from worker.governor import Delivery, RequestEnd, TaskEnd
from worker.process import ending
from worker.process.ending import Finisher
from worker.process.left_behind import LeftBehind
from worker.process.state import acknowledged_by_redis, left_behind

GOOD = RequestEnd(used=True)


class Ends:
    """A governor that is told of ends."""

    def __init__(self):
        self.steps, self.closed, self.limits, self.fails = [], [], {}, []
        self.go, self.asked = threading.Event(), threading.Event()
        self.go.set()

    def finish(self, ends):
        self.asked.set()
        self.go.wait(60)
        if self.fails and (error := self.fails.pop(0)):
            raise error
        self.steps.append([(end.task_id, end.key, end.value) for end in ends])
        return [self.limits.get(end.task_id, 0) for end in ends]

    def close_lease(self, task_id, request_end, holder):
        self.closed.append((task_id, request_end, holder))


@pytest.fixture
def governor(monkeypatch):
    made = Ends()
    monkeypatch.setattr(ending, "get_governor", lambda: made)
    return made


@pytest.fixture
def finisher():
    made = Finisher()
    yield made
    made.stop()
    acknowledged_by_redis.clear()
    left_behind.clear()


def task(name, result=True, ends=True, adopted=lambda limit: None):
    """What a task does in its thread."""

    def work():
        assert ending.may_be_left()
        ending.leave(TaskEnd(name, Delivery("unacked", "index", f"tag of {name}"), GOOD), adopted)
        if result:
            assert ending.leave_result(name, f"key of {name}", "result", 60)
        return ends

    return work


def test_a_task_is_over_when_its_result_is_stored(governor, finisher):
    over = threading.Event()
    governor.go.clear()

    finisher.run_task(task("one"), over.set)

    assert governor.asked.wait(60)
    assert not over.is_set()
    governor.go.set()
    assert over.wait(60)
    assert governor.steps == [[("one", "key of one", "result")]]


def test_what_ends_meanwhile_is_told_in_one_step(governor, finisher):
    governor.go.clear()
    finisher.run_task(task("one"), lambda: None)
    assert governor.asked.wait(60)
    for name in ("two", "three"):
        finisher.run_task(task(name), lambda: None)

    governor.go.set()
    finisher.stop()

    assert [[name for name, _, _ in step] for step in governor.steps] == [["one"], ["two", "three"]]


def test_a_task_that_leaves_nothing_ends_in_its_own_thread(governor, finisher):
    told = []

    finisher.run_task(lambda: True, lambda: told.append(threading.current_thread()))

    assert told == [threading.current_thread()]
    assert not ending.may_be_left()


def test_a_task_that_fails_after_its_answer_closes_its_lease_and_stays_on_record(governor, finisher):
    told = []

    finisher.run_task(task("one", result=False, ends=False), lambda: told.append("over"))

    assert told == ["over"]
    assert governor.closed == [("one", GOOD, "tag of one")]
    assert governor.steps == []


def test_a_task_that_breaks_off_after_its_answer_closes_its_lease(governor, finisher):
    def work():
        task("one")()
        raise LookupError

    with pytest.raises(LookupError):
        finisher.run_task(work, lambda: pytest.fail("it is not over"))

    assert governor.closed == [("one", GOOD, "tag of one")]
    assert ending._here.left is None


def test_a_task_whose_lease_cannot_be_closed_is_over_all_the_same(governor, finisher, monkeypatch):
    told = []
    monkeypatch.setattr(governor, "close_lease", lambda *_: 1 / 0)

    finisher.run_task(task("one", ends=False), lambda: told.append("over"))

    assert told == ["over"]


def test_a_task_is_over_whoever_fails_to_hear_of_it(governor, finisher):
    over = threading.Event()
    governor.limits["one"] = 30

    finisher.run_task(task("one", adopted=lambda limit: 1 / 0), over.set)
    finisher.stop()

    assert over.is_set()


def test_a_task_whose_end_cannot_be_stored_frees_its_slot_and_does_not_keep_others_from_ending(governor, finisher):
    over = threading.Semaphore(0)
    governor.go.clear()
    finisher.run_task(task("first"), over.release)
    assert governor.asked.wait(60)
    for name in ("one", "two"):
        finisher.run_task(task(name), over.release)
    # The step of two fails, and then that of the first of them.
    governor.fails += [None, LookupError("two at once"), LookupError("one by itself")]
    governor.go.set()

    finisher.stop()

    assert [over.acquire(timeout=60) for _ in range(3)] == [True] * 3
    assert [step[0][0] for step in governor.steps] == ["first", "two"]
    assert left_behind == set()
    assert "tag of one" in acknowledged_by_redis  # by this worker: the record goes back to wait by itself


def test_a_result_of_another_task_is_stored_by_itself(governor, finisher):
    def work():
        task("one", result=False)()
        assert not ending.leave_result("another", "key", "result", 60)
        return True

    finisher.run_task(work, lambda: None)
    finisher.stop()

    assert governor.steps == [[("one", "", b"")]]


def test_an_adopted_limit_is_told(governor, finisher):
    told = []
    governor.limits["one"] = 30

    finisher.run_task(task("one", adopted=told.append), lambda: None)
    finisher.stop()

    assert told == [30]


def test_an_end_that_cannot_be_told_keeps_nobody_else_from_theirs(governor, finisher, caplog):
    over = threading.Event()

    finisher.run_task(task("one"), lambda: 1 / 0)
    finisher.run_task(task("two"), over.set)

    assert over.wait(60)
    assert "Task one has ended" in caplog.text


def test_a_task_whose_end_could_not_be_stored_is_left_to_the_next_worker(governor, finisher):
    governor.fails.append(LeftBehind("Redis is away and the worker is stopping"))

    finisher.run_task(task("one"), lambda: pytest.fail("it is not over"))
    finisher.stop()

    assert left_behind == {"tag of one"}
