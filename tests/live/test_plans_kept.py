"""The plan of a sync, beside what the sync then did."""

from __future__ import annotations

import pytest

from schedules.plan.estimate import estimate_sync
from tests.live.copies import sync
from tests.soak import sized
from worker.settings import get_settings


@pytest.fixture
def store(system, store, monkeypatch):
    """The store of the test's own process, too: a plan reads it."""
    monkeypatch.setenv("KLAVIYO_STORE_URL", store.url)
    get_settings.cache_clear()
    system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()
    yield store
    monkeypatch.undo()
    get_settings.cache_clear()


def compared(store, estimates):
    """For each stream: by how much the plan was off, of what was read."""
    off = {}
    for each in estimates:
        run = store.runs(each.stream)[-1]
        assert (run["state"], run["mode"]) == ("done", each.mode)
        off[each.stream] = each.requests / run["requests"] - 1
        print(each, run["requests"], run["rows"], (run["ended"] - run["started"]).total_seconds())
    return off


#: The rows that there are of each.
PROFILES, EVENTS = sized(3_000, 20_000), sized(12_000, 60_000)


@pytest.mark.soak
def test_a_plan_is_within_a_tenth_of_what_is_read_the_first_time_and_of_a_full_scan(system, store):
    system.sandbox.seed(account="default", profiles=PROFILES, events=EVENTS, seed=5)

    first = estimate_sync("default", ["profiles", "events"], "incremental")
    sync(system, "profiles", "events", seconds=sized(60, 300))
    off_first = compared(store, first)
    full = estimate_sync("default", ["profiles", "events"], "full")
    sync(system, "profiles", "events", mode="full", seconds=sized(60, 300))
    off_full = compared(store, full)

    assert max(map(abs, off_first.values())) <= 0.1, off_first
    assert max(map(abs, off_full.values())) <= 0.1, off_full
    assert sum(each.probes for each in full) <= 4
