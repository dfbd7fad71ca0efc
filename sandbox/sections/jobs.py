"""Asynchronous jobs: queued, processing, complete. They advance with the clock, a little at every request."""

from collections.abc import Callable
from typing import Any

from sandbox.call import Call
from sandbox.store import Resource, Store
from sandbox.times import written

QUEUED_SHARE = 0.25
"""The part of a job's time that it waits before it starts."""

EXPIRY = 7 * 86_400.0

IMPORT = (
    "total_count",
    "completed_count",
    "failed_count",
    "created_at",
    "started_at",
    "completed_at",
    "expires_at",
)
BULK = (
    "total_count",
    "completed_count",
    "failed_count",
    "created_at",
    "completed_at",
    "expires_at",
    "errors",
)
SUPPRESSION = ("total_count", "completed_count", "skipped_count", "created_at", "completed_at")
BARE: tuple[str, ...] = ()

Step = Callable[[int, float], bool]
"""Work on the item with this index, at this time; False when the item fails or is skipped."""


def create(
    call: Call,
    type: str,
    *,
    total: int,
    step: Step | None = None,
    id: str | None = None,
    shape: tuple[str, ...] = IMPORT,
) -> Resource:
    """A new job. `shape` are the attributes, besides its status, that this type of job has."""
    attributes: dict[str, Any] = {
        "total_count": total,
        "completed_count": 0,
        "failed_count": 0,
        "skipped_count": 0,
        "created_at": written(call.now),
        "started_at": None,
        "completed_at": None,
        "expires_at": written(call.now + EXPIRY),
        "errors": [],
    }
    shown = {"status": "queued"} | {name: attributes[name] for name in shape}
    resource = call.store.add(type, shown, id)
    call.store.pending.append(_progress(call.store, resource, total, call.now, call.job_seconds, step))
    return resource


def _progress(
    store: Store, job: Resource, total: int, created: float, seconds: float, step: Step | None
) -> Callable[[float], bool]:
    starts = created + seconds * QUEUED_SHARE
    ends = created + seconds
    done = 0

    def advance(now: float) -> bool:
        nonlocal done
        if job.attributes["status"] == "cancelled":
            return True
        if now < starts:
            return False
        _note(store, job, status="processing", started_at=written(starts))
        due = total if now >= ends else int(total * (now - starts) / (ends - starts))
        while done < due:
            _count(job, step is None or step(done, now))
            done += 1
        if now < ends:
            return False
        _note(store, job, status="complete", completed_at=written(ends))
        return True

    return advance


def _note(store: Store, job: Resource, **news: Any) -> None:
    store.version += 1
    job.attributes |= {name: value for name, value in news.items() if name in job.attributes}


def _count(job: Resource, succeeded: bool) -> None:
    missed = "skipped_count" if "skipped_count" in job.attributes else "failed_count"
    counter = "completed_count" if succeeded else missed
    if counter in job.attributes:
        job.attributes[counter] += 1
