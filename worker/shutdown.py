"""Whether this worker is stopping: what has not been sent by then goes back to wait."""

from __future__ import annotations

import threading
from typing import Any

from celery.signals import worker_init, worker_shutting_down

closing = threading.Event()


@worker_init.connect
def _open(**_: Any) -> None:
    closing.clear()


@worker_shutting_down.connect
def _close(**_: Any) -> None:
    closing.set()
