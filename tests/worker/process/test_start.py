"""What a worker loads, and whom it asks, before it is ready."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from celery.signals import beat_init, celeryd_after_setup, celeryd_init, task_revoked, worker_ready
from celery.worker import consumer

import worker.celery
from schedules.deferred import MODULES, LazyTask, load_task
from worker.app import app
from worker.process.bootstep import GovernorStep
from worker.process.consumer import Consumer
from worker.process.prefetched_leases import return_unclaimed


def _loaded_by(program: str, *packages: str) -> set[str]:
    """Which of these packages are loaded once the program has run."""
    told = f"{program}\nimport sys; print(*{set(packages)!r} & set(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split())


def test_a_worker_is_ready_without_what_the_store_and_its_sources_need():
    assert not _loaded_by("import worker.celery", "sqlalchemy", "alembic", "tasks.imports.run", "schedules.pull.pages")


def test_klaviyo_up_starts_its_processes_without_loading_what_they_load():
    heavy = ("celery", "httpx", "redis", "schedules.deferred", "sqlalchemy", "tasks", "tornado")

    assert not _loaded_by("import cli.up.command", *heavy)


def test_a_process_that_publishes_loads_nothing_that_sends_requests_or_runs_tasks():
    """The first call of a web application's process would wait for that, and each of them would keep it in memory."""
    publish = """
import contextlib, os
os.environ.update(KLAVIYO_REDIS_URL="unix:///nowhere/redis.sock", KLAVIYO_API_KEY="pk_1")
from tasks.profiles import create_profile
from worker.errors import NotConfirmed
with contextlib.suppress(NotConfirmed):
    create_profile.delay(email="ada@example.com")
"""

    assert _loaded_by(publish, "celery.worker", "httpx", "redis", "worker.execution", "worker.transport") == {
        "redis",
        "worker.transport",
    }


def test_a_process_knows_that_it_is_a_worker_as_soon_as_celery_makes_one():
    """Else it gives up where a worker waits, and a Redis that is full or an id that is revoked turns its steps away."""
    program = "import worker.celery; from celery.signals import celeryd_init; celeryd_init.send('w1'); "
    program += "from worker.process.state import working; print(working.is_set())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True"


def test_an_import_leaves_the_loggers_of_other_packages_and_the_signal_of_a_revocation_alone():
    modules = "worker.process.strategy, worker.process.threads, worker.process.bootstep, worker.http_client"
    program = f"""
import logging
import {modules}, schedules.beat, schedules.store.migrate
from celery.signals import task_revoked, worker_shutting_down
print(*(logging.getLogger(name).level for name in ("celery.pool", "httpx", "httpcore", "alembic")))
print(len(task_revoked.receivers), len(worker_shutting_down.receivers))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["0"] * 6


def test_a_package_that_hides_one_of_ours_is_named_before_anything_of_it_is_imported(tmp_path):
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import worker.celery"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert f"Another package named 'cli' ({tmp_path}/cli) hides the worker's own." in done.stderr


def test_what_a_process_connects_at_its_start_is_connected_once_however_often_that_is_done():
    connected = [len(signal.receivers) for signal in (beat_init, celeryd_after_setup, celeryd_init, worker_ready)]

    worker.celery.compose()

    assert [
        len(signal.receivers) for signal in (beat_init, celeryd_after_setup, celeryd_init, worker_ready)
    ] == connected


def test_a_consumer_returns_the_lease_of_a_revoked_task_however_many_consumers_there_were():
    for _ in range(2):
        GovernorStep(SimpleNamespace())

    returning = [each for _, each in task_revoked.receivers if each() is return_unclaimed]
    assert len(returning) == 1


def test_a_worker_asks_no_other_one_before_it_is_ready(monkeypatch):
    asked = {}
    monkeypatch.setattr(consumer.Consumer, "__init__", lambda _, **how: asked.update(how["worker_options"]))

    Consumer(worker_options={"without_mingle": False, "without_gossip": True})

    assert asked == {"without_mingle": True, "without_gossip": True}


@pytest.mark.parametrize("name", MODULES)
def test_a_task_of_the_schedules_is_known_from_the_start_and_loaded_when_it_is_wanted(name):
    assert name in app.tasks
    assert not isinstance(load_task(name), LazyTask)


def test_the_first_message_for_a_task_is_handled_by_the_task_itself():
    class Worker:
        def __init__(self):
            self.strategies = {}

        def update_strategies(self):
            self.strategies["klaviyo.sync"] = lambda *args: (type(app.tasks["klaviyo.sync"]).__name__, args)

    worker = Worker()
    handle = LazyTask("klaviyo.sync").start_strategy(app, worker)

    assert handle("message", None) == ("Sync", ("message", None))
