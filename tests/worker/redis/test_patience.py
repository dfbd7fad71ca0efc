"""What speaks to Redis waits by itself while Redis is away: who waits, for how long, and what is said of it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from celery.backends.redis import RedisBackend
from kombu.exceptions import OperationalError

from tasks.jobs.import_runs import Runs
from tasks.jobs.ledger import Ledger
from worker.app import app
from worker.governor import Governor
from worker.process import request, state, strategy
from worker.process.left_behind import LeftBehind, unacknowledged_if_left
from worker.redis import patience
from worker.redis.connection import NotNow
from worker.redis.patience import asking_redis_once, waits_for_redis
from worker.results import Backend
from worker.transport import RESULT_PREFIX

ROOT = Path(__file__).parents[3]

#: What a task asks the governor; what publishers, operators and a worker's own rounds ask it.
ASKED_BY_TASKS = (
    "claim", "close_lease", "release", "park", "done", "count_forbidden", "reserve", "revoke", "revoked", "message",
    "withdraw", "now", "has_room", "slots", "pause", "finish",
)  # fmt: skip
ASKED_BY_OTHERS = (
    "wait", "put", "take", "tick", "beat", "hold", "abandoned", "restore", "bind", "use_room", "store", "look",
    "paused", "resume", "count", "waiting",
)  # fmt: skip


@pytest.fixture
def stopping():
    state.working.set()
    state.closing.set()
    yield
    state.working.clear()
    state.closing.clear()
    state.left_behind.clear()


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)


class Message:
    delivery_tag = "tag"

    def __init__(self):
        self.acknowledged = 0

    def ack(self):
        self.acknowledged += 1


class Counter:
    """A client of a Redis that answers after so many failures."""

    def __init__(self, failures, error=redis.ConnectionError):
        self.failures, self.error, self.asked = failures, error, 0

    @waits_for_redis
    def ask(self, word):
        self.asked += 1
        if self.asked <= self.failures:
            raise self.error("away")
        return word


def away():
    raise redis.ConnectionError("away")


@pytest.mark.parametrize("error", [redis.ConnectionError, redis.TimeoutError, NotNow])
def test_a_question_is_answered_when_redis_is_back(no_pause, error):
    assert Counter(2, error).ask("word") == "word"


def test_other_errors_are_told_at_once():
    client = Counter(1, redis.ResponseError)

    with pytest.raises(redis.ResponseError):
        client.ask("word")

    assert client.asked == 1


@pytest.mark.parametrize("in_worker", [False, True])
def test_who_asks_once_hears_at_once_that_redis_is_away(monkeypatch, in_worker):
    if in_worker:
        monkeypatch.setattr(patience, "working", SimpleNamespace(is_set=lambda: True))
    client = Counter(1)

    with asking_redis_once(), pytest.raises(redis.ConnectionError):
        client.ask("word")

    assert client.asked == 1


def test_who_has_asked_once_waits_again_afterwards(no_pause):
    with asking_redis_once():
        pass

    assert Counter(1).ask("word") == "word"


def test_who_waits_for_redis_says_so_once_and_gives_up_after_a_minute(monkeypatch, no_pause, caplog):
    # Whatever Celery has made of its loggers in this process by now.
    monkeypatch.setattr(patience.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(patience.logger, "propagate", False)
    monkeypatch.setattr(patience.logger, "disabled", False)
    clock = iter(range(0, 10_000, 1))
    monkeypatch.setattr(patience.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(patience, "_warned", -100.0)

    with pytest.raises(redis.ConnectionError):
        waits_for_redis(away)()

    assert caplog.records[0].getMessage() == "Waiting for Redis for 60 s at most: away"
    assert len(caplog.records) <= 3


@pytest.mark.parametrize("client", [Ledger, Runs])
def test_every_question_to_the_ledger_and_to_the_runs_waits(client):
    asked = {name: method for name, method in vars(client).items() if callable(method) and not name.startswith("_")}

    assert asked
    assert [name for name, method in asked.items() if not hasattr(method, "__wrapped__")] == []


@pytest.mark.parametrize("name", ASKED_BY_TASKS)
def test_what_a_task_asks_the_governor_waits(name):
    assert hasattr(getattr(Governor, name), "__wrapped__")


@pytest.mark.parametrize("name", ASKED_BY_OTHERS)
def test_what_publishers_operators_and_the_workers_own_rounds_ask_does_not_wait(name):
    assert not hasattr(getattr(Governor, name), "__wrapped__")


def test_nobody_but_the_clients_waits_by_hand():
    files = (file for room in ("worker", "tasks", "schedules", "cli") for file in (ROOT / room).rglob("*.py"))
    found = {
        file.relative_to(ROOT).as_posix() for file in files if re.search(r"\bpatiently\(", file.read_text("utf-8"))
    }

    assert found == {"worker/redis/patience.py"}


def test_a_method_that_waits_keeps_its_signature():
    assert list(inspect.signature(Ledger.job).parameters) == ["self", "id"]


def test_what_follows_a_task_is_published_when_redis_is_back(no_pause):
    answers = [OperationalError("away"), OperationalError("away"), None]
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
        waits_for_redis(away)()
    strategy.acknowledge(message)(None, ())

    assert message.acknowledged == 0


def test_a_workers_loop_does_not_wait_to_acknowledge_a_message(stopping):
    with pytest.raises(redis.ConnectionError), asking_redis_once():
        strategy.acknowledge(SimpleNamespace(delivery_tag="tag", ack=away))(None, ())


def test_a_workers_loop_does_not_wait_to_end_what_was_revoked(stopping, monkeypatch):
    monkeypatch.setattr(request, "get_governor", lambda: SimpleNamespace(revoked=lambda id: waits_for_redis(away)()))
    revoked = SimpleNamespace(task=SimpleNamespace(declaration="any"), id="id")

    with pytest.raises(redis.ConnectionError):
        request.Request._announce_revoked(revoked, "revoked", terminated=False, signum=None, expired=False)


def test_a_task_that_is_over_is_acknowledged():
    message = Message()

    strategy.acknowledge(message)(None, ())

    assert message.acknowledged == 1


class TestWhatCeleryReadsOfARedeliveredTask:
    """It looks whether the task has ended, and takes what that raises for the task's own failure."""

    @pytest.fixture
    def backend(self, monkeypatch):
        """A backend whose Redis answers at the second try."""
        answers = iter([NotNow("another server has become the primary"), b"kept"])

        def get(backend, key):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(RedisBackend, "get", get)
        return Backend(app=app, url="redis://")

    def test_a_worker_waits_for_it(self, backend, monkeypatch):
        monkeypatch.setattr(state.closing, "wait", lambda seconds: False)
        state.working.set()
        try:
            assert backend.get("key") == b"kept"
        finally:
            state.working.clear()

    def test_whoever_asks_elsewhere_is_told_at_once(self, backend):
        with pytest.raises(NotNow):
            backend.get("key")


def test_the_transport_knows_where_celery_keeps_a_result():
    assert app.backend.get_key_for_task("one") == f"{RESULT_PREFIX}one".encode()
