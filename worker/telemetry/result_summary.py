"""What events, Flower and logs say of a task's result: its kind and how many records it has, but no data."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any


class _Here(threading.local):
    """The result of this thread's task, in words."""

    summary: str | None = None


_here = _Here()


def keep_summary(result: Any, attempts: int | None) -> None:
    """Keep a summary of the result of this thread's task, until Celery asks for it at the task's end."""
    _here.summary = summarize(result, attempts)


def current_summary() -> str | None:
    """Return the summary of this thread's task; None if none was kept."""
    return _here.summary


def forget_summary() -> None:
    """Forget the summary, since the thread begins another task."""
    _here.summary = None


def summarize(result: Any, attempts: int | None) -> str:
    """Return ``successful, data: 100 profiles, 1 attempt`` for an envelope; ``done`` for any other result."""
    if not isinstance(result, Mapping) or "successful" not in result:
        return "done"
    data = result.get("data")
    said = ["successful" if result["successful"] else "failed"]
    if isinstance(data, Mapping) and "completed" in data:
        said += [f"{data[name]:,} {name}" for name in ("completed", "failed", "skipped") if data.get(name)]
    else:
        said.append(f"data: {_describe(data)}")
    if "created" in result:
        said.append("created" if result["created"] else "updated")
    if result.get("job_id"):
        said.append(f"job {result['job_id']}")
    if attempts:
        said.append(f"{attempts} attempt{'' if attempts == 1 else 's'}")
    return ", ".join(said)


def _describe(data: Any) -> str:
    if isinstance(data, Mapping):
        return str(data.get("type") or "one record")
    if isinstance(data, Sequence) and not isinstance(data, str):
        kinds = {str(each.get("type")) for each in data[:1] if isinstance(each, Mapping)}
        return f"{len(data):,} of type {kinds.pop()}" if kinds else f"{len(data):,} records"
    return "none" if data is None else "a value"
