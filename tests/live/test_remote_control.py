"""`celery inspect` and `celery control`, on our worker as on any other."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tasks.profiles import create_profile
from tests.celery_connections import application
from tests.live.nodes import Node
from tests.live.system import KEY, asked, end, until
from tests.ports import free_ports
from worker.app import app

PERSON = "ada.lovelace"

WORKER = {"READ_TIMEOUT": 60}

#: Parts of an answer that are data: counts by task, a task's arguments, what either broker is told.
DATA = ("total", "args", "kwargs", "transport_options")


def shape(answer):
    """What an answer consists of: its keys, all the way down, and the kinds of its values."""
    if isinstance(answer, dict):
        return {key: "…" if key in DATA else shape(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [shape(answer[0])] if answer else []
    return "number" if isinstance(answer, int | float) else "…"


@pytest.fixture(scope="module")
def stock(server_binary, no_process_is_left, tmp_path_factory):
    """A stock Celery worker on a server of its own."""
    [port] = free_ports(1)
    server = Node(server_binary, tmp_path_factory.mktemp("server"), port)
    url = f"redis://127.0.0.1:{port}/0"
    command = [sys.executable, "-m", "celery", "-A", "stock_app", "worker", "-n", "stock@test", "--without-mingle"]
    environment = {**os.environ, "STOCK_URL": url}
    with (tmp_path_factory.mktemp("stock") / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parent, env=environment, stdout=log, stderr=log)
    with application("asking", url) as asking:
        until(lambda: asking.control.ping(["stock@test"], timeout=0.2), 20, "the stock worker")
        yield asking
    end(process)
    server.close()


@pytest.fixture
def under_way(idle, stock, tmp_path):
    """A task that is being carried out on either worker; the value is their ids, ours first."""
    with suppress(redis.ConnectionError):  # an earlier file may have cut this process's connection
        asked(app, "w1@test", "ping")
    with idle.sandbox.held():
        mine = create_profile.delay(email=f"{PERSON}@example.com").id
        theirs = stock.send_task("stock.wait", (str(tmp_path / "over"),)).id
        for which, worker in ((app, "w1@test"), (stock, "stock@test")):
            until(lambda which=which, worker=worker: asked(which, worker, "active"), 5, f"a task under way on {worker}")
        yield mine, theirs
        (tmp_path / "over").touch()
    idle.end_of(mine)


@pytest.fixture
def both(stock):
    """What our worker and the stock one answer; ``ours`` are the arguments that differ for ours."""

    def ask(command, ours=None, **arguments):
        mine = asked(app, "w1@test", command, **{**arguments, **(ours or {})})
        return mine, asked(stock, "stock@test", command, **arguments)

    return ask


def test_every_inspection_answers_as_a_stock_worker_does(under_way, both):
    mine, theirs = under_way
    inspections = (
        "active active_queues clock conf memdump memsample ping registered report reserved revoked scheduled stats"
    )
    answers = {command: both(command) for command in inspections.split()}
    answers["hello"] = both("hello", from_node="test@test")
    ours, stocks = both("query_task", ours={"ids": [mine]}, ids=[theirs])
    answers["query_task"] = ours[mine], stocks[theirs]

    settings, stock_settings = answers["conf"]
    answers["conf"] = settings.keys() >= stock_settings.keys(), True
    assert {command: shape(answer) for command, (answer, _) in answers.items()} == {
        command: shape(answer) for command, (_, answer) in answers.items()
    }
    assert answers["active"][0][0]["kwargs"] == "{'email': '***'}"
    assert not [secret for secret in (KEY, PERSON) if secret in f"{settings} {answers}"]


def test_every_command_answers_as_a_stock_worker_does(idle, both):
    name = {"task_name": "klaviyo.create_profile"}
    for command, ours, arguments in (
        ("rate_limit", name, {"task_name": "stock.wait", "rate_limit": "100/m"}),
        ("rate_limit", name, {"task_name": "stock.wait", "rate_limit": "0"}),
        ("rate_limit", {}, {"task_name": "no.such", "rate_limit": "1/m"}),
        ("time_limit", name, {"task_name": "stock.wait", "hard": 60, "soft": None}),
        ("time_limit", name, {"task_name": "stock.wait", "hard": None, "soft": None}),
        ("enable_events", {}, {}),
        ("disable_events", {}, {}),
        ("autoscale", {}, {"max": 3, "min": 1}),
        ("pool_restart", {}, {}),
        ("add_consumer", {}, {"queue": "more"}),
        ("cancel_consumer", {}, {"queue": "more"}),
    ):
        mine, stocks = both(command, ours, **arguments)
        assert mine == stocks, command


def test_a_queue_that_is_cancelled_is_no_longer_granted_for_and_one_that_is_added_is(idle):
    def served():
        return {queue["name"] for queue in asked(app, "w1@test", "active_queues")}

    asked(app, "w1@test", "cancel_consumer", queue="klaviyo.l")
    until(lambda: "klaviyo.l" not in served(), 5, "the queue to be left")
    until(lambda: not idle.redis.hexists("klaviyo:slots", "klaviyo.l"), 5, "the governor to know of it")
    waits = create_profile.delay(email="ada@example.com").id

    asked(app, "w1@test", "add_consumer", queue="klaviyo.l")

    assert idle.end_of(waits).status == "SUCCESS"


def test_the_pool_grows_and_shrinks_by_remote_control_and_keeps_one_thread(idle):
    def size():
        return asked(app, "w1@test", "stats")["pool"]["max-concurrency"]

    before = size()
    assert asked(app, "w1@test", "pool_grow", n=3) == {"ok": "pool will grow"}
    assert size() == before + 3
    assert asked(app, "w1@test", "pool_shrink", n=3) == {"ok": "pool will shrink"}
    assert size() == before

    assert "keeps one at least" in asked(app, "w1@test", "pool_shrink", n=before)["error"]
    assert size() == before
    idle.end_of(create_profile.delay(email="ada@example.com").id)
