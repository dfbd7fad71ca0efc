"""What a worker counts for Prometheus."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tests.worker.test_carrying_out import task as task
from worker.accounts.lookup import Account
from worker.api.jsonapi import Request
from worker.errors import BadRequest, OutcomeUnknown, Unavailable
from worker.governor import BucketLook, Look
from worker.http_client import make_client, send
from worker.settings import Settings
from worker.telemetry import metrics
from worker.telemetry.meters import meters
from worker.telemetry.metrics import WorkerMeter, cause_of_429, serve

ACCOUNT = Account("default", SecretStr("pk_secret"), "ABC123")


class Meter:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def request(self, action, status, seconds):
        assert seconds >= 0
        self.told.append((action, status))

    def throttled(self, action, line):
        self.told.append((action, line, "429"))

    def attempts(self, action, count):
        self.told.append((action, count))


@pytest.fixture
def meter():
    made = Meter()
    meters.append(made)
    yield made
    meters.remove(made)


@pytest.fixture
def registry():
    return CollectorRegistry()


def look(*windows):
    return Look("a:x", "klaviyo.l", 0, 0, 0, None, 0.0, (BucketLook("a:x", windows, 1, 0, 0.0),))


@pytest.mark.parametrize(
    ("end", "status"),
    [(None, "202"), (httpx.ConnectTimeout, "no_connection"), (httpx.ReadTimeout, "no_answer")],
)
def test_each_request_is_counted_with_its_status_or_why_there_is_none(meter, end, status):
    def answer(given):
        if end:
            raise end("it broke", request=given)
        return httpx.Response(202)

    with closing(make_client(Settings(_env_file=None), httpx.MockTransport(answer))) as client:
        try:
            send(client, ACCOUNT, "get_lists", Request("GET", "/api/lists", {}, None))
        except Unavailable:
            assert end

    assert meter.told == [("get_lists", status)]


def test_the_attempts_of_a_call_are_counted_when_it_has_ended(task, meter):
    task.answers += [(503, {}), (429, {}), (200, {})]

    for _ in range(2):
        with pytest.raises(Exception, match=r"503|429"):
            task.carry_out()
    task.clock.wait(60)
    task.carry_out()

    assert meter.told == [("get_lists", "default:get_lists", "429"), ("get_lists", 2)]


def test_a_call_that_klaviyo_refuses_has_ended_too(task, meter):
    task.answers += [(400, {})]

    with pytest.raises(BadRequest):
        task.carry_out()

    assert meter.told == [("get_lists", 1)]


def test_a_429_is_others_unless_our_own_requests_exceed_the_limit():
    assert cause_of_429(look((75, 75, 1_000), (300, 750, 60_000))) == "others"
    assert cause_of_429(look((10, 75, 1_000), (751, 750, 60_000))) == "ours"
    assert cause_of_429(None) == "unknown"


def test_a_429_whose_cause_cannot_be_read_is_counted_all_the_same(settings, registry):
    WorkerMeter(registry).throttled("get_lists", "default:get_lists")

    labels = {"action": "get_lists", "cause": "unknown"}
    assert registry.get_sample_value("klaviyo_throttled_requests_total", labels) == 1


def test_failures_are_counted_by_the_class_of_the_error(registry):
    meter, sender = WorkerMeter(registry), SimpleNamespace(name="klaviyo.send_campaign")

    meter.failure(sender=sender, exception=OutcomeUnknown("send_campaign", "eu", "no answer", "look"), task_id="1")
    meter.failure(sender=sender, exception=KeyError("ada@example.com"), task_id="2")

    for error in ("OutcomeUnknown", "other"):
        labels = {"action": "send_campaign", "error": error}
        assert registry.get_sample_value("klaviyo_task_failures_total", labels) == 1


def test_a_port_that_is_taken_is_told_and_the_worker_works_on(caplog, monkeypatch):
    monkeypatch.setattr(metrics, "logger", logging.getLogger("told"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve("127.0.0.1", taken.getsockname()[1])

    assert "the worker runs without them" in caplog.text
    assert meters == []


def test_a_worker_that_serves_no_metrics_loads_none_of_it():
    program = "import sys, worker.celery; print('worker.telemetry.metrics' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
