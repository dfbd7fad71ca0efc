"""What `import tasks.registry` costs whoever only queues work, beside what Celery alone costs: in time, and 60 MB in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Celery alone takes about 0.13 seconds of a core, and the tasks four times that.
TIMES, MEGABYTES, TRIES = 7, 60.0, 3

CELERY = "from celery import Celery; app = Celery('bare'); app.tasks"

TIME = """
import time
began = time.process_time()
{code}
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


def test_importing_the_tasks_takes_seven_times_as_long_as_celery_alone_at_most() -> None:
    """The quickest of a few, of seconds of a core: a busy machine is not taken for a slow import."""
    bare, whole = (
        min(measured(TIME.format(code=code)) for _ in range(TRIES)) for code in (CELERY, "import tasks.registry")
    )
    assert whole <= TIMES * bare


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells how much memory a process has by /proc")
def test_importing_the_tasks_takes_60_mb_more_than_a_celery_app() -> None:
    bare = measured(MEMORY.format(code=CELERY))
    assert measured(MEMORY.format(code="import tasks.registry")) - bare <= MEGABYTES
