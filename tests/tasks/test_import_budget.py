"""What `import tasks` costs whoever only queues work: a second of a core at most, and 60 MB more than Celery alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

SECONDS, MEGABYTES, TRIES = 1.0, 60.0, 3

TIME = """
import time
began = time.process_time()
import tasks
print(time.process_time() - began)
"""

MEMORY = """
import pathlib
{code}
status = pathlib.Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")))
"""


def measured(code: str) -> float:
    """The number that a fresh interpreter prints."""
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def test_importing_the_tasks_takes_a_second_of_a_core_at_most() -> None:
    """The quickest of a few, so that a busy machine is not taken for a slow import."""
    assert min(measured(TIME) for _ in range(TRIES)) <= SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells how much memory a process has by /proc")
def test_importing_the_tasks_takes_60_mb_more_than_a_celery_app() -> None:
    bare = measured(MEMORY.format(code="from celery import Celery; app = Celery('bare'); app.tasks"))
    assert measured(MEMORY.format(code="import tasks")) - bare <= MEGABYTES
