"""What ``celery -A worker`` loads: the application with every task and every schedule."""

from __future__ import annotations

from pathlib import Path

import schedules
import tasks
from worker.app import app

__all__ = ["app"]

for package in (tasks, schedules):
    found = Path(str(package.__file__)).parent
    if found.parent != Path(__file__).parents[1]:
        raise ImportError(
            f"Another package named {package.__name__!r} ({found}) hides the worker's own. "
            f"Run from the worker's root directory, or take {found.parent} off PYTHONPATH."
        )
