"""Which of Celery's pools a worker takes, and what its own makes of a task that Celery stumbles over."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.bin.base import CLIContext
from celery.bin.worker import worker as command
from celery.exceptions import Reject
from celery.signals import celeryd_after_setup

import worker.celery  # noqa: F401  what Celery's commands load
from worker.app import app
from worker.process import request
from worker.process.left_behind import LeftBehind
from worker.process.request import Request
from worker.process.threads import TaskPool, see_to_pool


def pool_of(*words):
    """What `celery -A worker worker` makes of the pool in its command line, and what it then says or refuses."""
    obj = CLIContext(app=app, no_color=True, workdir=".", quiet=True)
    with command.make_context("worker", list(words), obj=obj) as context:
        see_to_pool(context.params["pool"])


@pytest.mark.parametrize("name", ["solo", "gevent", "processes"])
def test_a_pool_without_threads_of_one_process_is_refused_in_one_sentence(name):
    with pytest.raises(SystemExit, match=f"This worker runs threads, not {name}") as refused:
        pool_of("-P", name)

    assert "Leave -P out" in str(refused.value)


@pytest.mark.parametrize("words", [("-P", "prefork"), ("--pool=prefork",)])
def test_prefork_is_celerys_name_for_what_is_configured_and_one_line_says_so(caplog, words):
    with caplog.at_level(logging.WARNING):
        pool_of(*words)

    assert [each.getMessage() for each in caplog.records] == [
        "This worker runs threads, not -P prefork. Leave -P out; -c says how many."
    ]


@pytest.mark.parametrize("words", [(), ("-P", "threads")])
def test_threads_need_no_word(caplog, words):
    pool_of(*words)

    assert not caplog.records


def test_an_application_that_imports_ours_runs_what_it_likes():
    theirs = SimpleNamespace(app=Celery("shop", set_as_current=False), pool_cls="solo")

    celeryd_after_setup.send(sender="w1", instance=theirs, conf=None)


def test_a_worker_that_is_told_to_run_another_pool_ends_at_once():
    environment = {**os.environ, "KLAVIYO_API_KEY": "pk_test", "KLAVIYO_REDIS_URL": "redis://127.0.0.1:1/0"}
    told = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", "worker", "-P", "solo"],
        cwd=Path(__file__).parents[3], env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert told.returncode == 1
    assert [line for line in told.stderr.splitlines() if "runs threads" in line]
    assert "Traceback" not in told.stderr


def fail(*_):
    raise LookupError("an odd message")


@pytest.mark.parametrize("way", [{"target": fail}, {"target": len, "accept_callback": fail}])
def test_what_celery_stumbles_over_in_a_thread_is_told(way):
    told, pool = [], TaskPool(limit=1)
    try:
        pool.on_apply(**way, args=("",), callback=told.append, error_callback=told.append).wait(60)
    finally:
        pool.on_stop()

    assert [type(each.exception.exc) for each in told] == [LookupError]


@pytest.mark.parametrize(
    ("error", "told"),
    [(LookupError, ["InputError", "ready", "acknowledged"]), (Reject, ["ready", "acknowledged"]), (LeftBehind, [])],
)
def test_a_task_that_celery_stumbles_over_is_held_no_longer_and_one_that_is_left_behind_stays_on_record(
    monkeypatch, error, told
):
    ended = []
    monkeypatch.setattr(request, "get_governor", lambda: SimpleNamespace(release=lambda *_: None))
    monkeypatch.setattr(request, "task_ready", lambda _: ended.append("ready"))
    backend = SimpleNamespace(mark_as_failure=lambda id, error, request=None: ended.append(type(error).__name__))
    odd = SimpleNamespace(
        id="one", type="klaviyo.x", task=SimpleNamespace(backend=backend),
        _message=SimpleNamespace(headers={"id": "one", "task": "klaviyo.x"}, payload=[[], {}, 5], delivery_tag="1"),
        acknowledge=lambda: ended.append("acknowledged"),
    )  # fmt: skip

    Request.on_failure(odd, SimpleNamespace(type=error))

    assert ended == told
