"""Revocations and pauses last while no worker is up, and for the worker that starts later."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult

from tasks.collect import collect
from tasks.jobs import run_job
from tasks.lists import get_lists
from tasks.profiles import bulk_import_profiles, create_profile
from tests.live.system import ROOT, failures, until
from worker.app import app
from worker.errors import AlreadyRevoked
from worker.governor import get_governor
from worker.tiers import QUEUES

LATER = 3600


def waiting(system):
    return system.redis.hlen("klaviyo:waiting")


def later(email="p@example.com", **options):
    return create_profile.on(countdown=LATER, **options).delay(email=email)


def test_revoking_takes_a_waiting_task_out_of_redis_though_no_worker_is_up(system):
    one, two, three = (later(f"p{n}@example.com") for n in range(3))

    one.revoke()
    app.control.revoke([two.id])

    assert waiting(system) == 1
    assert system.status(one.id) == system.status(two.id) == "REVOKED"
    with pytest.raises(TaskRevokedError):
        AsyncResult(one.id, app=app).get(timeout=120)
    assert AsyncResult(three.id, app=app).state == "PENDING"


def test_a_call_with_a_revoked_id_is_refused_in_words(system):
    task = later()
    task.revoke()

    with pytest.raises(AlreadyRevoked, match="Make the call without task_id, or with another"):
        create_profile.apply_async((), {"email": "p@example.com"}, task_id=task.id)
    with pytest.raises(AlreadyRevoked):
        collect.apply_async(("get_lists",), task_id=task.id)

    assert waiting(system) == 0
    assert system.redis.llen("klaviyo") == 0


def test_a_task_that_was_released_and_revoked_is_not_sent_by_the_worker_that_starts_later(system):
    worker = system.worker().ready()
    worker.kill()
    # It is thought to be there, however long this takes.
    get_governor().beat(f"{worker.name}/{worker.process.pid}", 8, list(QUEUES), 600)
    released = create_profile.delay(email="p@example.com")
    assert waiting(system) == 0

    released.revoke()
    assert system.status(released.id) == "REVOKED"
    system.worker().ready()
    after = create_profile.delay(email="q@example.com")
    system.end_of(after.id)

    until(lambda: not system.redis.exists("klaviyo:unacked", "klaviyo.l"), 20, "the end of the revoked task")
    assert len(system.sandbox.ledger("create_profile")) == 1
    assert system.status(released.id) == "REVOKED"


def test_a_job_that_has_not_been_sent_is_taken_back(system):
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}])

    job.revoke()
    system.worker().ready()
    system.end_of(get_lists.delay().id)

    assert system.status(job.id) == "REVOKED"
    until(lambda: waiting(system) == 0, 20, "the end of its step")
    assert system.sandbox.ledger("bulk_import_profiles") == []


def test_a_collection_is_revoked_with_its_page_though_no_worker_is_up(system):
    worker = system.worker().ready()
    get_governor().pause("action:get_lists", "a test", "to have it wait", since=0)
    collection = get_lists.collect()
    until(lambda: waiting(system) == 1 and not system.redis.exists("klaviyo:unacked"), 20, "the first page to wait")
    worker.kill()

    # A process that has imported no action.
    command = "from worker.app import app; import sys; app.control.revoke(sys.argv[1])"
    subprocess.run([sys.executable, "-c", command, collection.id], cwd=ROOT, env=system.environment(), check=True)

    assert waiting(system) == 0
    assert system.status(collection.id) == "REVOKED"
    get_governor().resume("action:get_lists")
    system.worker().ready()
    system.end_of(create_profile.delay(email="p@example.com").id)
    assert system.sandbox.ledger("get_lists") == []


def test_purge_drops_what_waits(system):
    for n in range(30):
        later(f"p{n}@example.com")

    assert app.control.purge() >= 30
    assert waiting(system) == 0


def test_a_wrong_key_lets_its_tasks_wait_and_a_right_one_lets_them_go_on(system):
    worker = system.worker(API_KEY="pk_wrong").ready()
    ids = [create_profile.delay(email=f"p{n}@example.com").id for n in range(20)]
    until(lambda: "is paused and its tasks wait" in worker.text(), 20, "the pause")
    until(lambda: waiting(system) == 20, 20, "all of them to wait")

    [pause] = get_governor().paused()
    assert pause.what == "account:default"
    assert "401" in pause.why
    assert system.ends(ids) == {}
    assert worker.text().count("is paused and its tasks wait") == 1
    assert "pk_wrong" not in worker.text()
    other = get_lists.on("a").delay()
    assert system.end_of(other.id).status == "SUCCESS"
    worker.stop()

    system.worker().ready()
    ends = system.ended(ids)
    assert failures(ends) == {}
    assert get_governor().paused() == []
