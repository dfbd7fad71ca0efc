"""Flower counts as many workers as there are, and gives each task to the one that carries it out."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.events.state import State
from celery.exceptions import Retry
from celery.utils.nodenames import anon_nodename
from celery.worker.heartbeat import Heart

from tasks.jobs import progress
from tasks.profiles import create_profile
from worker.app import app
from worker.carrying_out import WaitingReason
from worker.process.request import Request
from worker.telemetry import events
from worker.telemetry.event_dispatcher import Dispatcher


@pytest.fixture
def flower(monkeypatch):
    """What Flower makes of the events that this process sends."""
    state = State()

    class Dispatcher:
        def __init__(self, connection, hostname, enabled, *rest):
            self.hostname, self.enabled = hostname or anon_nodename(), enabled

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return

        def send(self, type, retry=True, retry_policy=None, **fields):
            if self.enabled:
                seen = {"hostname": self.hostname, "timestamp": 1.0, "local_received": 1.0}
                state.event({"type": type, **seen, "clock": 1, "pid": 1, **fields})

    @contextmanager
    def acquire(block):
        yield SimpleNamespace(connection=None, channel=None)

    monkeypatch.setattr(app.events, "Dispatcher", Dispatcher)
    monkeypatch.setattr(app.amqp, "_producer_pool", SimpleNamespace(acquire=acquire))
    monkeypatch.setattr(events, "_name", [])
    return state


def test_a_state_of_a_job_is_told_under_the_workers_name_whoever_of_its_threads_tells_it(flower):
    events._named(sender="w1@host")

    progress._event("task-accepted", uuid="a-job")

    assert list(flower.workers) == ["w1@host"]
    assert flower.tasks["a-job"].worker.hostname == "w1@host"


def test_an_event_of_a_task_in_the_callers_process_makes_no_second_worker(flower):
    progress._event("task-accepted", uuid="a-job")
    app.tasks[create_profile.name].send_event("task-revoked")

    assert not flower.workers
    assert not flower.tasks


def test_a_task_that_waits_is_shown_with_the_reason_and_nothing_else():
    told = []
    request = Request.__new__(Request)
    request._task = SimpleNamespace(acks_late=False)
    request.send_event = lambda type, **fields: told.append((type, fields["exception"]))

    try:
        raise Retry("it has no turn", exc=WaitingReason("it has no turn"), when=None)
    except Retry:
        request.on_retry(ExceptionInfo())

    assert told == [("task-retried", "WaitingReason: it has no turn")]


def test_a_heartbeat_that_redis_does_not_take_is_kept_and_holds_up_nobody():
    tried = []

    class Away:
        def publish(self, event, retry, **how):
            tried.append(retry)
            raise ConnectionError

    dispatcher = Dispatcher(app=Celery("any", set_as_current=False), enabled=False)
    dispatcher.enabled, dispatcher._closed, dispatcher.producer = True, False, Away()

    Heart(None, dispatcher)._send("worker-heartbeat")

    assert tried == [False]
    assert [event["type"] for event, _ in dispatcher._outbound_buffer] == ["worker-heartbeat"]
