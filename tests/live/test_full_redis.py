"""A Redis that is full and evicts nothing: what waits can always be worked off, and nothing half done is added."""

from __future__ import annotations

import pytest
from celery import chain, chord
from kombu.exceptions import OperationalError

from schedules.sync import request_sync
from tasks.jobs import run_job
from tasks.lists import get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tests.live.system import failures, until


def streams(system, request):
    """How the streams of a sync stand."""
    found = system.redis.hgetall(f"klaviyo:sync:{request}")
    return [state for name, state in found.items() if name.startswith("stream:")]


def test_a_backlog_that_fills_redis_is_worked_off_by_a_worker_that_starts_on_it(system, store):
    system.sandbox.limits(off=True)
    system.sandbox.seed(account="default", profiles=120, lists=25)
    published = [create_profile.delay(email=f"p{n}@example.com").id for n in range(300)]
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]).id
    several = {
        "chord": chord([create_profile.si(email=f"c{n}@example.com") for n in range(3)])(get_profiles.si()).id,
        "chain": chain(create_profile.si(email="a@example.com"), get_profiles.si()).apply_async().id,
        "collect": get_lists.collect(page_size=10).id,
        "sync": request_sync("default", ["profiles", "lists"]),
    }
    system.redis.config_set("maxmemory", 1)
    try:
        before = system.redis.dbsize(), system.redis.hlen("klaviyo:waiting")
        with pytest.raises(OperationalError, match="Redis is full"):
            create_profile.delay(email="late@example.com")
        assert before == (system.redis.dbsize(), system.redis.hlen("klaviyo:waiting"))

        system.worker(STORE_URL=store.url).ready()
        ends = system.ended([*published, job, *several.values()], 20)
        until(lambda: set(streams(system, several["sync"])) == {"done"}, 20, lambda: streams(system, several["sync"]))
    finally:
        system.redis.config_set("maxmemory", 0)

    assert failures(ends) == {}
    assert len(system.sandbox.ledger("create_profile")) == 304
    until(lambda: not system.redis.exists("klaviyo:unacked"), 10, "an empty record of what is held")


def test_large_results_hold_no_thread_on_a_full_redis_and_are_told_when_there_is_memory(system):
    system.sandbox.limits(off=True)
    system.sandbox.seed(account="default", profiles=300, lists=25)
    larges = [get_profiles.delay(page_size=100).id for _ in range(4)]
    by_pages = {size: get_profiles.collect(page_size=size).id for size in (100, 20)}
    revoked = get_profiles.delay(page_size=100)
    smalls = [create_profile.delay(email=f"p{n}@example.com").id for n in range(30)]
    system.redis.config_set("maxmemory", 1)
    try:
        worker = system.worker(CONCURRENCY=2).ready()

        assert failures(system.ended(smalls, 20)) == {}
        until(lambda: {system.status(each) for each in larges} == {"RETRY"}, 20, "the large ones to wait again")
        until(
            lambda: "Redis is full: no room for" in system.redis.get(f"celery-task-meta-{larges[0]}"), 20, "the reason"
        )
        system.reached(revoked.id, "RETRY")
        system.reached(by_pages[20], "RETRY")
        revoked.revoke()
        assert system.status(revoked.id) == "REVOKED"
        sent = len(system.sandbox.ledger("get_profiles"))
        assert sent <= 4 + 1 + 1 + 17, "what is known to be large is not asked for again as long as there is no room"
    finally:
        system.redis.config_set("maxmemory", 0)

    ends = system.ended([*larges, *by_pages.values()], 30)
    assert failures(ends) == {}
    assert {len(ends[each].result["data"]) for each in larges} == {100}
    assert {len(ends[each].result["data"]) for each in by_pages.values()} == {330}
    assert "Waiting for Redis" not in worker.text()
    until(lambda: not system.redis.exists("klaviyo:roomless", "klaviyo:unacked"), 10, "an empty record of what is held")
