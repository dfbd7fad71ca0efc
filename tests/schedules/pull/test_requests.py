"""Syncs as they were asked for; on a real server."""

from __future__ import annotations

import threading

import pytest

from schedules.pull import requests
from schedules.pull.requests import Request, claim, load, save
from worker import writes
from worker.process import working


@pytest.fixture(autouse=True)
def server(client, monkeypatch):
    for module in (requests, writes):
        monkeypatch.setattr(module, "get_redis", lambda: client)


def ask(*streams):
    save(Request("sync-1", "default", "changes", None, 1_764_000_000.0, dict.fromkeys(streams, "wanted")))


def test_a_stream_is_begun_once_however_many_come_at_the_same_time():
    ask("profiles", "events")
    begun = []
    together = threading.Barrier(8)

    def come():
        together.wait(5)
        begun.append(claim("sync-1", "profiles"))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(begun) == [False] * 7 + [True]
    assert load("sync-1").streams == {"profiles": "running", "events": "wanted"}


def test_a_stream_that_has_ended_is_not_begun_again():
    ask("profiles")
    requests.note("sync-1", "profiles", "done")

    assert not claim("sync-1", "profiles")
    assert load("sync-1").over


def test_a_request_of_a_forgotten_sync_begins_nothing():
    assert not claim("sync-1", "profiles")


def test_a_worker_goes_on_with_a_sync_though_redis_is_full(client):
    client.config_set("maxmemory", 1)
    working.set()
    try:
        ask("profiles")
        assert claim("sync-1", "profiles")
        requests.note("sync-1", "profiles", "done")
    finally:
        working.clear()
        client.config_set("maxmemory", 0)

    assert load("sync-1").over
