"""Requested syncs; on a real server."""

from __future__ import annotations

import threading

import pytest

from schedules import sync_requests
from schedules.sync_requests import SyncRequest, claim, load, save
from worker.process.state import working
from worker.redis import atomic_writes


@pytest.fixture(autouse=True)
def server(client, monkeypatch):
    for module in (sync_requests, atomic_writes):
        monkeypatch.setattr(module, "get_redis", lambda: client)


def ask(*streams):
    save(SyncRequest("sync-1", "default", "changes", None, 1_764_000_000.0, dict.fromkeys(streams, "wanted")))


def test_a_stream_is_started_once_however_many_try_at_the_same_time():
    ask("profiles", "events")
    begun = []
    together = threading.Barrier(8)

    def come():
        together.wait(60)
        begun.append(claim("sync-1", "profiles"))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(begun) == [False] * 7 + [True]
    assert load("sync-1").streams == {"profiles": "running", "events": "wanted"}


def test_a_stream_that_has_ended_is_not_started_again():
    ask("profiles")
    sync_requests.set_state("sync-1", "profiles", "done")

    assert not claim("sync-1", "profiles")
    assert load("sync-1").is_over


def test_an_expired_request_starts_nothing():
    assert not claim("sync-1", "profiles")


def test_a_worker_continues_a_sync_even_if_redis_is_full(client):
    client.config_set("maxmemory", 1)
    working.set()
    try:
        ask("profiles")
        assert claim("sync-1", "profiles")
        sync_requests.set_state("sync-1", "profiles", "done")
    finally:
        working.clear()
        client.config_set("maxmemory", 0)

    assert load("sync-1").is_over
