"""Accounts that are stored, removed, paused and resumed while beat runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from celery import Celery
from pydantic import SecretStr
from redbeat.schedulers import get_redis

from schedules.beat import Scheduler
from schedules.entries import ENTRIES
from worker.accounts.stored import AccountStore
from worker.app import configuration
from worker.governor import Governor
from worker.one_per_process import forget

START = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


class Beat:
    """A beat process's scheduler, by our clock."""

    def __init__(self, client, clock, published):
        self.app = Celery("test", broker="memory://", set_as_current=False)
        self.app.conf.update({name: value for name, value in configuration().items() if "beat" in name})
        self.app.conf.beat_schedule = {}
        self.app.conf.update(redbeat_redis_url=f"unix://{client.connection_pool.connection_kwargs['path']}?db=0")
        self.app.conf.result_expires = None  # else Celery adds an entry of its own
        get_redis(self.app).time = lambda: (int(clock[0].timestamp()), 0)
        self.store = AccountStore(lambda: client)
        self.scheduler = Scheduler(self.app)
        self.scheduler.send_task = lambda name, args, kwargs, **options: published.append(options["task_id"])

    def tick(self):
        with mock.patch("schedules.beat.get_account_store", return_value=self.store):
            self.scheduler.tick()

    def close(self):
        get_redis(self.app).connection_pool.disconnect()
        self.app.close()


@pytest.fixture
def clock():
    return [START]


@pytest.fixture
def published():
    return []


@pytest.fixture
def beat(settings, client, clock, published, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    monkeypatch.setattr("schedules.entries.SPREAD_MIN", 1)  # every account at the entries' own minutes
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    made = []

    def start():
        made.append(Beat(client, clock, published))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def accounts(client):
    """Another process that stores accounts."""
    return AccountStore(lambda: client)


def test_an_account_that_is_stored_runs_that_very_night(beat, accounts, clock, published):
    one = beat()
    one.tick()
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    one.tick()
    assert len(one.app.conf.beat_schedule) == len(ENTRIES)

    clock[0] += timedelta(minutes=40)
    one.tick()

    assert published == ["profiles-events.eu@2026-11-24T01:07:00Z"]


def test_an_account_that_is_removed_runs_no_more(beat, accounts, clock, published, client):
    one = beat()
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    one.tick()
    accounts.remove("eu")
    one.tick()

    clock[0] += timedelta(hours=5)
    one.tick()

    assert (published, one.app.conf.beat_schedule) == ([], {})
    assert client.zcard("klaviyo:redbeat::schedule") == 0


def test_an_account_whose_zone_is_changed_runs_by_that(beat, accounts, clock, published):
    one = beat()
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    one.tick()
    accounts.change("eu", timezone="America/New_York")
    one.tick()

    clock[0] += timedelta(minutes=40)
    one.tick()
    assert published == []
    clock[0] += timedelta(hours=5)
    one.tick()
    assert published == ["profiles-events.eu@2026-11-24T06:07:00Z"]


def test_a_beat_that_takes_the_lead_makes_up_for_what_a_stored_account_has_missed(
    beat, accounts, clock, published, client
):
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    beat().tick()
    client.delete("klaviyo:redbeat:lock")
    clock[0] += timedelta(minutes=40)

    beat().tick()

    assert published == ["profiles-events.eu@2026-11-24T01:07:00Z"]


def test_a_token_that_was_refreshed_changes_no_entry(beat, accounts):
    one = beat()
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    one.tick()
    with mock.patch.object(one.scheduler, "update_from_dict") as updated:
        accounts.change("eu", api_key=SecretStr("pk_other"))
        one.tick()

    assert updated.mock_calls == []


def test_what_falls_due_for_a_paused_account_runs_once_when_it_is_resumed(beat, accounts, clock, published, client):
    governor = Governor(client)
    one = beat()
    accounts.change("eu", api_key=SecretStr("pk_eu"))
    accounts.change("us", api_key=SecretStr("pk_us"))
    one.tick()
    governor.pause("account:eu", "a worker", "withdrawn", since=0.0, probe=5.0, key="g1")

    for _ in range(3):
        clock[0] += timedelta(minutes=12)
        one.tick()
    clock[0] += timedelta(minutes=4)
    one.tick()
    assert published == ["profiles-events.us@2026-11-24T01:07:00Z"]
    governor.resume("account:eu")
    one.tick()
    one.tick()

    assert published == ["profiles-events.us@2026-11-24T01:07:00Z", "profiles-events.eu@2026-11-24T01:07:00Z"]
