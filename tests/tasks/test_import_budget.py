"""What `import tasks.registry` costs whoever only queues work: what a call needs is loaded by the first one."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What MB of memory importing the tasks takes beside an application of Celery's. 15 are needed.
MEGABYTES = 25.0

CELERY = "from celery import Celery; app = Celery('bare'); app.tasks"

MEMORY = """
import pathlib
{code}
status = pathlib.Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")))
"""

#: What speaks to Redis, to Klaviyo and to the store, and what only workers do.
LATER = {"redis", "kombu.transport.redis", "httpx", "sqlalchemy", "worker.execution", "worker.steps", "tasks.jobs"}


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_actions_loads_nothing_that_only_a_call_needs() -> None:
    assert printed(f"import sys, tasks.registry; print(*{LATER} & set(sys.modules))").split() == []


def test_the_first_use_of_a_task_makes_all_of_them() -> None:
    first = "import tasks.registry; from tasks.profiles import create_profile; create_profile.task"
    names = f"from worker.app import app; {first}; print(*app._tasks)"
    made = set(printed(names).split())

    assert {"klaviyo.create_list", "klaviyo.spawn_bulk_profile_import_job", "klaviyo.job", "klaviyo.collect"} <= made


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells how much memory a process has by /proc")
def test_importing_the_actions_takes_little_memory_beside_celery() -> None:
    bare, whole = (float(printed(MEMORY.format(code=code))) for code in (CELERY, "import tasks.registry"))
    assert whole - bare <= MEGABYTES


AT_ONCE = """
import threading
from importlib import import_module
import tasks.registry
from tasks.profiles import create_profile
from worker.app import app

modules = ["tasks.jobs.begin", "tasks.collect", "worker.canvas", "schedules.sync"]
uses = [lambda: create_profile.task, lambda: app.tasks["klaviyo.job"], lambda: create_profile.si(email="a@b.co")]
uses += [lambda module=module: import_module(module) for module in modules]
begin, done = threading.Barrier(len(uses)), []


def use(one):
    begin.wait()
    one()
    done.append(one)


threads = [threading.Thread(target=use, args=(one,), daemon=True) for one in uses]
for each in threads:
    each.start()
for each in threads:
    each.join(60)
print(len(done) == len(uses))
"""


def test_threads_that_use_the_first_task_and_load_others_at_once_do_not_wait_for_each_other_for_ever() -> None:
    assert printed(AT_ONCE).strip() == "True"
