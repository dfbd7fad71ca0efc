"""Remote control where accounts are divided over several Redis: the workers of all hear it, and answer."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from contextvars import copy_context

import pytest
from kombu.pidbox import Mailbox

from tasks.metrics import get_metrics
from tests.live.nodes import free_ports
from worker.app import app, get_peer
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.redis.connection import AWAY
from worker.redis.elsewhere import elsewhere
from worker.redis.homes import at_redis
from worker.tiers import QUEUES


@contextmanager
def worker(redis, name):
    """What of a worker hears commands, at a Redis; the value is what it was told to do."""
    heard, ready, stopped = [], threading.Event(), threading.Event()
    handlers = {"ping": lambda state, **_: {"ok": "pong"}, "shutdown": lambda state, **_: heard.append("shutdown")}

    def listen():
        with (get_peer() if elsewhere() else app).connection_for_read() as connection:
            node = Mailbox("celery", type="fanout", accept=["json"]).Node(name, None, connection.channel(), handlers)
            with node.listen(callback=node.handle_message):
                while not stopped.is_set():
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.05)
                    ready.set()  # from its first turn on

    with at_redis(redis):
        get_governor().beat(f"{name}/1", 1, list(QUEUES), 60)
        thread = threading.Thread(target=copy_context().run, args=(listen,), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield heard
    stopped.set()
    thread.join()


@pytest.fixture
def workers(two_redis):
    with worker("main", "one@test") as one, worker("eu", "two@test") as two:
        yield one, two


@pytest.fixture
def eu_is_away(two_redis, settings):
    [port] = free_ports(1)
    settings.setenv("KLAVIYO_REDIS_URLS__EU", f"redis://127.0.0.1:{port}/0")
    forget()


#: How long an answer is waited for, of one worker at each Redis: as long as it takes, and no longer.
PATIENT = {"timeout": 30, "limit": 1}


def test_the_workers_of_every_redis_answer(workers):
    pings = app.control.broadcast("ping", reply=True, **PATIENT)
    assert sorted(name for each in pings for name in each) == ["one@test", "two@test"]
    assert sorted(app.control.inspect(**PATIENT).ping()) == ["one@test", "two@test"]


def test_one_that_is_named_is_spoken_to_where_it_works(workers):
    assert app.control.ping(["two@test"], timeout=30) == [{"two@test": {"ok": "pong"}}]


def test_a_command_reaches_the_one_that_is_named_and_no_other(workers):
    one, two = workers

    app.control.shutdown(["two@test"])

    assert app.control.ping(["two@test"], timeout=30)
    assert (one, two) == ([], ["shutdown"])


def test_the_others_answer_while_one_is_away(eu_is_away, caplog):
    with worker("main", "one@test"):
        assert app.control.broadcast("ping", reply=True, **PATIENT) == [{"one@test": {"ok": "pong"}}]

    assert "The workers of the Redis eu cannot be spoken to: Redis cannot be reached at" in caplog.text


def test_a_task_is_revoked_where_it_waits_while_another_is_away(eu_is_away):
    task = get_metrics.on("outlet").delay()

    app.control.revoke(task.id)

    assert task.state == "REVOKED"


def test_a_task_that_may_be_where_nobody_can_look_is_not_said_to_be_revoked(eu_is_away):
    with pytest.raises(AWAY):
        app.control.revoke("unknown")
