"""What becomes of a task whose worker stops before it is known how the task went on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import Ignore

from worker.message_headers import tag_of
from worker.process.state import left_behind


class LeftBehind(Ignore):
    """It is not known how the task went on. Its message stays on record, and goes back to wait by itself."""


@contextmanager
def unacknowledged_if_left(request: Any) -> Iterator[None]:
    """Keep Celery from acknowledging a task that is left behind: it would be lost."""
    try:
        yield
    except LeftBehind:
        left_behind.add(tag_of(request))
        raise
