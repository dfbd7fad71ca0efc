"""What the worker does when Redis goes away, and how it waits between attempts."""

from types import SimpleNamespace

import pytest
import redis
from kombu.exceptions import OperationalError

from worker import ending, patience, process, strategy
from worker.api.declaration import SAFE, never
from worker.app import app
from worker.connection import NotNow
from worker.execution import backoff, ends_alone
from worker.patience import LeftBehind, patiently, unacknowledged_if_left
from worker.settings import Settings


@pytest.fixture
def stopping():
    process.working.set()
    process.closing.set()
    yield
    process.working.clear()
    process.closing.clear()
    process.left_behind.clear()


class Message:
    delivery_tag = "tag"

    def __init__(self):
        self.acknowledged = 0

    def ack(self):
        self.acknowledged += 1


def away():
    raise redis.exceptions.ConnectionError("away")


@pytest.mark.parametrize("error", [redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, NotNow])
def test_a_step_is_done_when_redis_is_back(monkeypatch, error):
    answers = [error("away"), "done"]
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)

    def step():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(step) == "done"


def test_who_waits_for_redis_says_so_once_and_gives_up_after_a_minute(monkeypatch, caplog):
    # Whatever Celery has made of its loggers in this process by now.
    monkeypatch.setattr(patience.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(patience.logger, "propagate", False)
    monkeypatch.setattr(patience.logger, "disabled", False)
    clock = iter(range(0, 10_000, 1))
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(patience.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(patience, "_told", -100.0)

    with pytest.raises(redis.exceptions.ConnectionError):
        patiently(away)

    assert caplog.records[0].message == "Work waits for Redis for 60 s at most: away"
    assert len(caplog.records) <= 3


def test_what_follows_a_task_is_published_when_redis_is_back(monkeypatch):
    answers = [OperationalError("away"), OperationalError("away"), None]
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    published = []

    def publish(*results):
        if answer := answers.pop(0):
            raise answer
        published.append(results)

    app.amqp._retry_publish(publish, ["one", "two"])

    assert published == [(["one", "two"],)]


def test_a_task_that_a_stopping_worker_cannot_finish_is_not_acknowledged(stopping):
    message = Message()
    request = SimpleNamespace(klaviyo_delivery=("unacked", "unacked_index", "tag"))

    with pytest.raises(LeftBehind), unacknowledged_if_left(request):
        patiently(away)
    strategy.acknowledge(message)(None, ())

    assert message.acknowledged == 0


def test_a_task_that_is_over_is_acknowledged():
    message = Message()

    strategy.acknowledge(message)(None, ())

    assert message.acknowledged == 1


def test_the_backoff_doubles_up_to_its_longest_with_full_jitter():
    settings = Settings(backoff_seconds=1, backoff_max_seconds=60)

    def longest(low, high):
        return high

    assert [backoff(attempts, settings, longest) for attempts in (0, 1, 2, 5, 6, 100)] == [1, 2, 4, 32, 60, 60]
    assert backoff(3, settings, lambda low, high: low) == 0


@pytest.fixture
def in_a_pool(monkeypatch):
    """A thread of the worker's pool, which somebody sees to the ends of."""
    monkeypatch.setattr(ending._here, "may", True)


def request(**followed):
    return SimpleNamespace(**{"callbacks": None, "chain": None, "chord": None, **followed})


@pytest.mark.parametrize("follower", ["callbacks", "chain", "chord"])
def test_a_task_that_others_follow_ends_by_itself(in_a_pool, follower):
    call = SimpleNamespace(repeat=SAFE)

    assert ends_alone(call, request())
    assert not ends_alone(call, request(**{follower: [{"task": "x"}]}))


def test_what_must_not_be_repeated_ends_by_itself(in_a_pool):
    assert not ends_alone(SimpleNamespace(repeat=never("look")), request())


def test_a_task_outside_a_pool_ends_by_itself():
    assert not ends_alone(SimpleNamespace(repeat=SAFE), request())
