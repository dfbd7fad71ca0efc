"""What is said where no worker runs."""

from __future__ import annotations

from cli.terminal.printing import say
from worker.governor import get_governor

NO_WORKER = "No worker runs, and nothing is sent until one does (celery -A worker worker, or klaviyo up)."


def warn_without_worker() -> None:
    """Say so if no worker runs."""
    if not get_governor().slots():
        say(NO_WORKER, "yellow")
