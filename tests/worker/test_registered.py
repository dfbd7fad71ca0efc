"""Every task is known to whoever needs it, whatever else its process has imported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MISSING = """
import importlib, pkgutil
import worker.celery
from worker.app import app
known = set(app.tasks)
import schedules, tasks
for package in (tasks, schedules):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
print(*sorted(set(app.tasks) - known))
"""

#: What an application or a command imports, and a task that it publishes by that.
NEEDED = (
    ("tasks.profiles", "klaviyo.collect"),
    ("tasks.imports", "klaviyo.job_spawn"),
)


def printed(code):
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_a_worker_knows_every_task_that_any_module_has():
    assert printed(MISSING) == []


@pytest.mark.parametrize(("module", "task"), NEEDED)
def test_a_process_that_has_imported_one_module_finds_the_tasks_of_others(module, task):
    assert printed(f"import {module}; from worker.app import registered; print(registered({task!r}).name)") == [task]
