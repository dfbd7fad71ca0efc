"""The deadlines of live tests follow the machine, and a missed one tells little."""

from types import SimpleNamespace

import pytest
import redis

from tests.live import system


@pytest.fixture
def now(monkeypatch):
    """A clock that goes on when somebody sleeps."""
    clock = SimpleNamespace(seconds=0.0)

    def sleep(seconds):
        clock.seconds += seconds

    monkeypatch.setattr(system, "time", SimpleNamespace(monotonic=lambda: clock.seconds, sleep=sleep))
    return clock


@pytest.mark.parametrize("crowding", [1.0, 4.0])
def test_a_deadline_passes_as_slowly_as_the_machine_is_crowded(now, monkeypatch, crowding):
    monkeypatch.setattr(system, "crowding", lambda: crowding)

    with pytest.raises(AssertionError, match="the end"):
        system.until(lambda: False, 10, "the end")

    assert 10 * crowding < now.seconds < 10 * crowding + 1


def test_a_deadline_follows_those_who_come_while_it_runs(now, monkeypatch):
    monkeypatch.setattr(system, "crowding", lambda: 1.0 if now.seconds < 5 else 10.0)

    with pytest.raises(AssertionError):
        system.until(lambda: False, 10, "the end")

    assert 54 < now.seconds < 57


def test_of_a_log_the_last_lines_are_told_and_of_each_its_beginning():
    told = system.last("\n".join(f"{number} {'x' * 1_000}" for number in range(100)))

    assert [line.split()[0] for line in told.splitlines()] == [str(number) for number in range(92, 100)]
    assert max(map(len, told.splitlines())) <= system.WIDTH + 4


@pytest.fixture
def at_work(monkeypatch):
    """A system with a worker that has said something, and a Redis that cannot be reached."""
    worker = SimpleNamespace(name="w1@test", last=lambda: "w1@test runs:\n    ready.")
    made = system.System(SimpleNamespace(redis=redis.Redis(port=1)), None, None, [worker])
    monkeypatch.setattr(system, "_at_work", [made])
    return made


def test_a_missed_deadline_tells_what_the_workers_have_said_last(now, at_work):
    with pytest.raises(AssertionError) as missed:
        system.until(lambda: False, 1, "the end")

    first, places, *worker = str(missed.value).splitlines()
    assert first.endswith(": the end")
    assert places.startswith("Where the tasks are cannot be read: ConnectionError: ")
    assert worker == ["w1@test runs:", "    ready."]


def test_what_a_failure_has_told_of_a_worker_is_not_told_again(now, at_work):
    with pytest.raises(AssertionError) as missed:
        system.until(lambda: False, 1, at_work.told)

    assert str(missed.value).count("ready.") == 1
