"""Showing the state of a job in progress, in its result and in Flower."""

from __future__ import annotations

from typing import Any

from worker.app import app
from worker.publishing import published
from worker.steps import has_ended


def show_state(id: str, state: str, **meta: Any) -> None:
    """Show a job's state: as ``AsyncResult.state`` and ``.info``, and to Flower by an event.

    A late state must not hide how the job ended.
    """
    if has_ended(id):
        return
    app.backend.store_result(id, meta, state)
    published(lambda: _event(f"task-{state.lower()}", uuid=id, job_state=state, **meta))


def _event(kind: str, **fields: Any) -> None:
    with app.events.default_dispatcher() as dispatcher:
        dispatcher.send(kind, retry=False, **fields)
