"""What ``celery -A worker`` loads: the application with every task and every schedule."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.util import find_spec
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any

from celery.signals import beat_init, celeryd_after_setup, worker_ready
from celery.utils.log import get_logger

from worker.process import checks, shutdown, threads
from worker.process.divided import check_division
from worker.process.wrong_settings import one_sentence
from worker.settings import get_settings, misspelled_settings
from worker.telemetry import traces

__all__ = ["app"]

logger = get_logger(__name__)

for package in ("cli", "schedules", "tasks"):
    found = find_spec(package)
    folder = Path(found.origin).parent if found and found.origin else Path(package)
    if folder.parent != Path(__file__).parents[1]:
        raise ImportError(
            f"Another package named {package!r} ({folder}) hides the worker's own. "
            f"Run from the worker's root directory, or take {folder.parent} off PYTHONPATH."
        )

with one_sentence():
    import schedules.deferred  # noqa: F401
    import tasks.registry  # noqa: F401
    from cli.flower import extension
    from schedules.checks import check_surroundings
    from worker.app import app


def _log_misspelled_settings(**_: Any) -> None:
    if said := misspelled_settings():
        logger.warning(said)


def _see_to_pool(instance: Any, **_: Any) -> None:
    if instance.app is app:  # an application's own worker, which only imports this, runs what it likes
        threads.see_to_pool(instance.pool_cls)


def _trace(**_: Any) -> None:
    with one_sentence():
        traces.set_up_exporter()


def _log_settings(**_: Any) -> None:
    _say(checks.check_settings(get_settings()))


def _serve_metrics(**_: Any) -> None:
    settings = get_settings()
    if settings.metrics_port is not None:
        # Imported here because a worker that serves none starts without.
        from worker.telemetry.metrics import serve

        serve(settings.metrics_host, settings.metrics_port)


def _log_servers(**_: Any) -> None:
    # In a thread of its own: a store out of reach must not hold up the work that needs none.
    def check() -> None:
        settings = get_settings()
        _say(check_surroundings(settings))
        _say(check_division(settings))

    threading.Thread(target=check, name="checks", daemon=True).start()


def _say(found: Iterable[checks.Finding]) -> None:
    """Log what `klaviyo check` would tell, a line each, as far as it is not as it should be."""
    for finding in found:
        if finding.level != "good":
            logger.log(WARNING if finding.level == "warning" else ERROR, "%s: %s", finding.what, finding.text)


def _pages() -> extension.Pages:
    # Imported here because only Flower shows them: a worker starts without.
    from cli.dashboard.handlers import pages

    return pages()


def _start_flower() -> None:
    from worker.telemetry.logs import reformat_root

    reformat_root()
    _log_misspelled_settings()


def compose() -> None:
    """Connect what is done when worker, beat or Flower starts and ends. Doing so again changes nothing."""
    shutdown.watch()
    for receiver in (_see_to_pool, _trace, _log_settings, _serve_metrics):
        celeryd_after_setup.connect(receiver)
    for receiver in (_log_misspelled_settings, _trace):
        beat_init.connect(receiver)
    worker_ready.connect(_log_servers)
    extension.install(_start_flower, _pages)


compose()
