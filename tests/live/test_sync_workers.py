"""Workers that copy streams: one finds Redis emptied, two write into PostgreSQL at once, one comes late."""

from __future__ import annotations

import json

from schedules.sync import request_sync
from tests.live.copies import Copy, assert_equal, seed, states, sync
from tests.live.system import until
from tests.live.test_sync_commands import klaviyo, only_default


def test_a_run_of_which_redis_has_forgotten_everything_goes_on(system, store):
    system.sandbox.limits(off=True)
    system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()
    seed(system, profiles=1_200)
    system.sandbox.fault("latency", seconds=0.3, times=None)
    request_sync("default", ["profiles"], "full")
    until(lambda: len(system.sandbox.ledger("get_profiles")) >= 4, 20, "four pages")
    system.workers[0].kill()
    system.redis.flushall()
    system.sandbox.clear_faults()
    system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()

    sync(system, "profiles", mode="full")

    assert_equal(system, store, "profiles")
    assert len(store.runs("profiles")) == 1


def test_postgresql_is_written_by_many_threads_at_once(system, new_postgres):
    store = Copy(new_postgres(None))
    system.sandbox.limits(off=True)
    seed(system, profiles=800, events=5_000, lists=6, members=150, campaigns=4, items=150, tags=20)
    for _ in range(2):
        system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()
    streams = ("profiles", "events", "lists", "campaigns", "campaign_messages", "catalog_items", "tags")

    sync(system, *streams, "list_members", mode="full")

    assert_equal(system, store, *streams)
    system.sandbox.limits(off=False)
    store.close()


def test_without_a_worker_it_is_started_and_said_that_nothing_happens_yet(system, store):
    started = klaviyo(system, store, *only_default("sync", "metrics", "--no-wait", "--json"))

    assert started.returncode == 0
    assert "No worker runs" in started.stderr
    [asked] = json.loads(started.stdout)
    system.worker(STORE_URL=store.url, CONCURRENCY=8).ready()
    until(lambda: states(system, asked["request"]) == {"metrics": "done"}, 20, "the end of what was asked for")
