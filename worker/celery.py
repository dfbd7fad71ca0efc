"""What ``celery -A worker`` loads: the application with every task and every schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from celery.signals import beat_init, celeryd_after_setup
from celery.utils.log import get_logger

from worker import flower, threads
from worker.errors import SettingsError
from worker.settings import get_settings, misspelled_settings

__all__ = ["app"]

logger = get_logger(__name__)

try:
    get_settings()
    import schedules
    import tasks
    from worker.app import app
except SettingsError as error:
    if click.get_current_context(silent=True) is None:
        raise
    # Celery's command line would print a page of traceback.
    sys.exit(f"The settings are wrong: {error}")

for package in (tasks, schedules):
    found = Path(str(package.__file__)).parent
    if found.parent != Path(__file__).parents[1]:
        raise ImportError(
            f"Another package named {package.__name__!r} ({found}) hides the worker's own. "
            f"Run from the worker's root directory, or take {found.parent} off PYTHONPATH."
        )


@celeryd_after_setup.connect
@beat_init.connect
def _tell_of_misspelled_settings(**_: Any) -> None:
    if said := misspelled_settings():
        logger.warning(said)


@celeryd_after_setup.connect
def _see_to_pool(instance: Any, **_: Any) -> None:
    if instance.app is app:  # an application's own worker, which only imports this, runs what it likes
        threads.see_to_pool(instance.pool_cls)


flower.install(_tell_of_misspelled_settings)
