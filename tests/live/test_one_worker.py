"""What one worker says of itself, and how remote control ends it."""

from __future__ import annotations

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile, get_profile
from tests.live.fetch import get
from tests.live.system import asked, over, until
from worker.app import app


def test_flower_shows_a_workers_page(system, flower):
    worker = system.worker().ready()

    def shown():
        answer = get(f"{flower}/worker/{worker.name}")
        return answer.status_code == 200 and "klaviyo.xl" in answer.text

    until(shown, 10, "the worker's page")


def test_flower_counts_one_worker_as_one_and_tells_in_a_sentence_why_a_task_failed(system, flower):
    worker = system.worker().ready()
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "ada@example.com"}])
    failed = get_profile.delay(id="nonesuch")
    system.ended([job.id, failed.id])

    def told():
        answer = get(f"{flower}/api/task/info/{failed.id}")
        return answer.status_code == 200 and answer.json()["exception"]

    why = until(told, 10, "the task's end in Flower")
    assert why.startswith("NotFound: get_profile on account default: Klaviyo answered 404: ")

    def names():
        """Of the workers that Flower lists, and of those that its tasks were taken by."""
        workers, tasks = get(f"{flower}/workers", json=1).json()["data"], get(f"{flower}/api/tasks").json().values()
        return [each["hostname"] for each in workers], {each["worker"] for each in tasks}

    until(lambda: names() == ([worker.name], {worker.name}), 10, lambda: f"one worker, and not {names()}")


def test_a_worker_says_what_is_not_as_it_should_be_and_remote_shutdown_lets_its_request_finish(system):
    system.redis.config_set("maxmemory-policy", "allkeys-lru")
    worker = system.worker(CONCURENCY=3, STORE_URL="mysql://root@localhost/store").ready()
    until(
        lambda: "store: KLAVIYO_STORE_URL must be sqlite:///a/path or" in worker.text(), 10, "what is said of the store"
    )
    system.redis.config_set("maxmemory-policy", "noeviction")
    assert worker.text().count("eviction: maxmemory-policy is allkeys-lru") == 1
    assert worker.text().count("KLAVIYO_CONCURENCY is no setting; did you mean KLAVIYO_CONCURRENCY?") == 1
    assert f".> transport:   {system.server.url.partition(':')[0]}://" in worker.text()
    system.sandbox.fault("latency", operation="create_profile", seconds=0.4, times=1)
    arrived = system.sandbox.arrived()
    done = create_profile.delay(email="ada@example.com").id
    until(lambda: system.sandbox.arrived() > arrived, 5, "a request under way")

    app.control.shutdown(destination=[worker.name])

    assert over(worker.process, 10) == 0
    assert system.status(done) == "SUCCESS"


def test_remote_shutdown_waits_no_longer_than_a_signal_does(system):
    worker = system.worker(SHUTDOWN_SECONDS=0.5, READ_TIMEOUT=60).ready()
    system.sandbox.fault("hang", operation="create_profile", times=1)
    left = create_profile.delay(email="ada@example.com").id
    until(lambda: asked(app, worker.name, "active"), 5, "a task under way")

    app.control.shutdown(destination=[worker.name])

    over(worker.process, 10)
    assert "the time to stop is over" in worker.text()
    assert system.status(left) != "SUCCESS"
