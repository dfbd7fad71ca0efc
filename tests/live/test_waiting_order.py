"""Waiting costs a worker nothing, and what is urgent overtakes."""

from __future__ import annotations

import json

import psutil

from tasks.profiles import create_profile
from tests.live.system import until
from tests.live.whereabouts import assert_nothing_lost
from worker.app import app
from worker.governor import get_governor


def test_a_countdown_of_an_hour_waits_in_redis_and_costs_the_worker_nothing(system):
    worker = system.worker().ready()
    memory = psutil.Process(worker.process.pid).memory_info
    system.end_of(create_profile.delay(email="first@example.com").id)
    before = memory().rss

    in_an_hour = create_profile.on(countdown=3600)
    ids = [in_an_hour.delay(email=f"p{n}@example.com").id for n in range(500)]
    system.end_of(create_profile.delay(email="last@example.com").id)
    until(lambda: not system.redis.exists("klaviyo:unacked"), 20, "the last acknowledgement")

    places = assert_nothing_lost(system.redis, ids)
    assert places.later == set(ids)
    assert not places.unacked | places.queued | places.waiting
    assert memory().rss - before < 10_000_000
    inspect = app.control.inspect([worker.name], timeout=60, limit=1)
    assert inspect.scheduled() == {worker.name: []}
    assert inspect.reserved() == {worker.name: []}


def test_the_now_lane_overtakes_five_hundred_waiting_bulk_tasks(system):
    # One at a time: of several that run at once, a later one may end first.
    system.worker(CONCURRENCY=1).ready()
    get_governor().pause("tier:klaviyo.l", "a test", "to have all of them wait", since=0)
    bulk = [create_profile.on(lane="bulk").delay(email=f"p{n}@example.com").id for n in range(500)]
    urgent = [create_profile.delay(email=f"urgent{n}@example.com").id for n in range(10)]

    get_governor().resume("tier:klaviyo.l")
    system.ended(urgent, 20)

    metas = system.redis.mget([f"celery-task-meta-{each}" for each in (*bulk, *urgent)])
    ended = sorted((meta["date_done"], meta["task_id"]) for meta in map(json.loads, filter(None, metas)))
    assert {task_id for _, task_id in ended[: len(urgent)]} == set(urgent)
