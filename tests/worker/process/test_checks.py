"""What `klaviyo check` finds, the worker says at its start: the same list, in one line each."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import redis
from celery.signals import celeryd_after_setup, worker_ready

import tasks.registry  # noqa: F401  registers every action
import worker.celery  # noqa: F401  what Celery's commands load
from cli.check.scopes import NOBODY, trials
from schedules.store import connection
from schedules.store.migrate import upgrade
from tests.cli.typed import run
from worker.action import ACTIONS
from worker.one_per_process import forget

INFO = {"redis_version": "7.2.4", "tcp_port": 6379, "aof_enabled": 1, "used_memory": 1, "maxmemory": 0}

#: What is not as it should be: what Redis says, the settings, and how a line about it begins.
WRONG = {
    "eviction": ({"maxmemory_policy": "allkeys-lru"}, {}, "eviction: maxmemory-policy is allkeys-lru: Redis may"),
    "no file": ({"aof_enabled": 0}, {}, "on disk: no append-only file: what is queued"),
    "a replica": ({"role": "slave"}, {}, "Redis: it is a replica, and takes no task"),
    "full": ({"maxmemory": 1}, {}, "memory: Redis is full: give it more"),
    "old": ({"redis_version": "5.0.7"}, {}, "Redis: version 5.0.7 is too old: at least 6.2 is needed."),
    "no key": ({}, {"API_KEY": "", "COMPANY_ID": ""}, "account: There is no account: set KLAVIYO_API_KEY"),
    "no key of another": (
        {}, {"ACCOUNTS__EU__TIMEZONE": "UTC"},
        "account eu: account 'eu' has no API key: set KLAVIYO_ACCOUNTS__EU__API_KEY.",
    ),
    "misspelled": ({}, {"CONCURENCY": "3"}, "settings: KLAVIYO_CONCURENCY is no setting; did you mean"),
    "no store": ({}, {"STORE_URL": "sqlite:///nowhere.db"}, "store: there is none at sqlite:///nowhere.db: run"),
    "a store of another kind": (
        {}, {"STORE_URL": "mysql://root:hidden@localhost/store"}, "store: KLAVIYO_STORE_URL must be sqlite:///a/path or"
    ),
}  # fmt: skip


@pytest.fixture
def store(settings, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    settings.setenv("KLAVIYO_STORE_URL", url)
    upgrade(url)
    yield settings
    connection.close()


@pytest.fixture(params=WRONG)
def line(request, store, fake_redis, monkeypatch):
    """One thing is not as it should be; the beginning of the line that says so."""
    said, settings, begins = WRONG[request.param]
    monkeypatch.setattr(fake_redis, "info", lambda: {**INFO, **said})
    for name, value in settings.items():
        store.setenv(f"KLAVIYO_{name}", value)
    connection.close()
    forget()
    return begins


def started(caplog):
    """What a worker logs when it starts."""
    caplog.clear()
    celeryd_after_setup.send(sender="w1", instance=SimpleNamespace(app=None), conf=None)
    worker_ready.send(sender=None)
    for thread in threading.enumerate():
        if thread.name == "checks":
            thread.join(60)
    return caplog.messages


def test_a_worker_says_in_one_line_at_its_start_what_is_not_as_it_should_be(line, caplog):
    [said] = started(caplog)

    assert said.startswith(line)
    assert "\n" not in said
    assert "hidden" not in said


def test_check_tells_the_same(line, monkeypatch):
    asked = []
    monkeypatch.setattr("cli.check.command._check_account", asked.append)

    result = run("check")

    what, _, text = line.partition(": ")
    [told] = [each for each in result.stdout.splitlines() if text in each]
    assert told.split()[1:-1][: len(what.split())] == what.split()
    assert told.startswith(("!", "✗"))
    assert (told[0] == "!") == (result.exit_code == 0) == bool(asked)
    assert "hidden" not in result.output


def test_a_redis_that_goes_away_meanwhile_is_told_in_one_line_too(store, fake_redis, caplog, monkeypatch):
    def gone(*_):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(fake_redis, "lrange", gone)

    [said] = started(caplog)

    assert said.startswith("Redis: Redis cannot be reached at redis://127.0.0.1:1/0 (ConnectionError)")


def test_a_worker_says_nothing_where_all_is_as_it_should_be(store, fake_redis, caplog):
    assert started(caplog) == []


def test_check_makes_no_store(settings, fake_redis, monkeypatch, tmp_path):
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/nowhere.db")
    forget()
    monkeypatch.setattr("cli.check.command._check_account", lambda which: None)

    assert run("check").exit_code == 0
    assert list(tmp_path.glob("nowhere*")) == []


def test_every_scope_is_tried_by_a_request_that_can_do_nothing():
    declarations = [action.declaration for action in ACTIONS.values()]
    tried = trials(declarations)

    assert {trial.scope for trial in tried} == {scope for each in declarations for scope in each.scopes}
    for trial in tried:
        request = trial.request
        assert request.body in (None, b"{}")
        assert "{" not in request.path
        assert request.method in ("GET", "POST") or NOBODY in request.path
    before = set()
    for trial in tried:
        assert trial.others <= before
        before.add(trial.scope)


def test_no_trial_of_a_scope_costs_one_of_a_days_few_requests():
    tried = trials(action.declaration for action in ACTIONS.values())

    assert [trial.scope for trial in tried if "/d" in str(trial.declaration.limits)] == []
