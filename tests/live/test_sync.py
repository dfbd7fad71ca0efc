"""Streams copied into the store by real workers: equal to what the sandbox has, whatever happens on the way."""

from __future__ import annotations

import json
import time

import pytest
import sqlalchemy as sa
from system import until

from schedules.pull import BEHIND
from schedules.streams import STREAMS
from schedules.sync import start
from worker.store import tables
from worker.store.engine import open_engine
from worker.store.migrate import upgrade


class Copy:
    """The store of a test."""

    def __init__(self, url):
        upgrade(url)
        self.url = url
        self.engine = open_engine(url)

    def rows(self, stream):
        table = STREAMS[stream].table
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(table).where(table.c.deleted_at.is_(None))).mappings()
            return {row["id"]: dict(row) for row in found}

    def runs(self, stream):
        chosen = sa.select(tables.sync_runs).where(tables.sync_runs.c.stream == stream)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(chosen.order_by(tables.sync_runs.c.id)).mappings()]

    def close(self):
        self.engine.dispose()


@pytest.fixture
def store(tmp_path):
    made = Copy(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


@pytest.fixture
def synced(system, store):
    """A worker that knows the store; the value syncs streams and waits for their end."""
    system.sandbox.limits(off=True)
    system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()

    def sync(*streams, mode="changes", seconds=60):
        request = start("default", list(streams), mode)
        key = f"klaviyo:sync:{request}"

        def over():
            states = {k: v for k, v in system.redis.hgetall(key).items() if k.startswith("stream:")}
            return states and not {"wanted", "running"} & set(states.values()) and states

        logs = system.workers[0].text
        states = until(over, seconds, lambda: f"the end of {streams}: {system.redis.hgetall(key)}\n{logs()[-3000:]}")
        assert set(states.values()) == {"done"}, states

    yield sync
    system.sandbox.limits(off=False)
    system.sandbox.clear_traps()


def assert_equal(system, store, stream, type):
    """Row for row: the same ids, and the same attributes."""
    there, here = system.sandbox.rows(type), store.rows(stream)
    assert set(here) == set(there)
    different = [id for id, row in here.items() if not same(row["attributes"], there[id]["attributes"])]
    assert not different, (here[different[0]]["attributes"], there[different[0]]["attributes"])


def same(here, there):
    """What the listing of all rows has; the API adds what was asked for besides, such as subscriptions."""
    return json.dumps({name: here.get(name) for name in there}, sort_keys=True) == json.dumps(there, sort_keys=True)


def let_pass():
    """Wait until what has just happened lies within the next run's window."""
    then = time.time() + BEHIND.total_seconds() + 1
    until(lambda: time.time() > then, 10, "the end of the next window")


def test_profiles_and_events_are_copied_whole_and_then_what_changed(system, store, synced):
    system.sandbox.seed(account="default", profiles=2_500, events=6_000, seed=1)
    synced("profiles", "events")
    assert_equal(system, store, "profiles", "profile")
    assert_equal(system, store, "events", "event")
    first = store.runs("profiles")[-1]

    changed = system.sandbox.change(account="default", type="profile", share=0.01)
    let_pass()
    synced("profiles")

    second = store.runs("profiles")[-1]
    assert_equal(system, store, "profiles", "profile")
    assert second["requests"] <= max(1, 0.03 * first["requests"]) + 1
    print(first, second, len(changed))
