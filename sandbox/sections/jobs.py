"""Asynchronous jobs: queued, processing, then complete or what a rule says. They advance with the clock, by item."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.call import Call
from sandbox.errors import ApiError, refusal
from sandbox.records.job_rules import Plan
from sandbox.records.store import Resource, Store
from sandbox.times import written

QUEUED_SHARE = 0.25
"""The part of a job's time that it waits before it starts."""

TURNING_POINT = 0.5
"""The part of a job's time after which it meets an outcome other than complete."""

EXPIRY = 7 * 86_400.0
IN_PROGRESS = ("queued", "processing")

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
"""Work on the item with this index, at this time; False when it is skipped, an `ApiError` when it fails."""
Failed = Callable[[int, dict[str, Any], float], None]
"""Keep the error of the item with this index."""


def create(
    call: Call,
    type: str,
    *,
    total: int,
    step: Step,
    failed: Failed | None = None,
    cancelled: Callable[[float], None] | None = None,
    id: str | None = None,
    shape: tuple[str, ...] = IMPORT,
    most_jobs: int | None = None,
) -> Resource:
    """A new job, if there is room. `shape` are the attributes, besides its status, that this type of job has."""
    _check_room(call, type, most_jobs)
    plan = call.job_rules.plan(call.store.alias, type)
    expires = EXPIRY if plan.expires is None and "expires_at" in shape else plan.expires
    attributes: dict[str, Any] = {
        "total_count": total,
        "completed_count": 0,
        "failed_count": 0,
        "skipped_count": 0,
        "created_at": written(call.now),
        "started_at": None,
        "completed_at": None,
        "expires_at": written(call.now + plan.seconds + (expires or 0.0)),
        "errors": [],
    }
    job = call.store.add(type, {"status": "queued"} | {name: attributes[name] for name in shape}, id)
    if shape != BARE:
        call.store.note_body(type, call.body)
    progress = _Progress(call.store, job, plan, expires, total, call.now, step, failed, cancelled)
    call.store.later(progress.starts, progress.advance)
    return job


def _check_room(call: Call, type: str, usual: int | None) -> None:
    most = call.job_rules.cap(call.store.alias, type, usual)
    if most is not None and sum(job.attributes["status"] in IN_PROGRESS for job in call.store.all(type)) >= most:
        detail = f"Too many jobs in progress: at most {most} are allowed at one time."
        raise refusal(400, detail, code="too_many_jobs")


@dataclass(slots=True)
class _Progress:
    """How far a job has come."""

    store: Store
    job: Resource
    plan: Plan
    expires: float | None
    total: int
    created: float
    step: Step
    failed: Failed | None
    cancelled: Callable[[float], None] | None
    done: int = 0

    @property
    def starts(self) -> float:
        return self.created + self.plan.seconds * QUEUED_SHARE

    @property
    def ends(self) -> float:
        """When it would be complete."""
        return self.created + self.plan.seconds

    @property
    def stops(self) -> float:
        """When it works on no further item."""
        return self.ends if self.plan.outcome == "complete" else self.created + self.plan.seconds * TURNING_POINT

    def advance(self, now: float) -> float | None:
        """Do what is due by now, and say when there is something to do again."""
        if self.job.attributes["status"] == "cancelled":
            return None
        if self.job.attributes["status"] == "queued":
            self._note(status="processing", started_at=written(self.starts))
        while self.done < self.total and self._due(self.done) <= min(now, self.stops):
            self._work(self.done, now)
            self.done += 1
        if now < self.stops:
            return min(self._due(self.done), self.stops)
        self._end(now)
        return None

    def _due(self, index: int) -> float:
        """When the item with this index is done."""
        return self.starts + (self.ends - self.starts) * (index + 1) / self.total if index < self.total else self.ends

    def _work(self, index: int, now: float) -> None:
        counters = self.job.attributes
        try:
            if "completed_count" in counters and self.plan.fails(index):
                raise refusal(400, "The sandbox was told to fail this item.")
            succeeded = self.step(index, now)
        except ApiError as failure:
            succeeded = False
            if self.failed:
                self.failed(index, failure.errors[0], now)
        missed = "skipped_count" if "skipped_count" in counters else "failed_count"
        counter = "completed_count" if succeeded else missed
        if counter in counters:
            counters[counter] += 1

    def _end(self, now: float) -> None:
        match self.plan.outcome:
            case "vanished":
                self._forget(now)
            case "cancelled":
                self._note(status="cancelled")
                if self.cancelled:
                    self.cancelled(now)
            case "complete":
                self._note(status="complete", completed_at=written(self.ends))
        if self.expires is not None and self.plan.outcome in ("complete", "cancelled"):
            self.store.later(self.stops + self.expires, self._forget)

    def _forget(self, now: float) -> None:
        """Remove the job and its errors, unless a later job has taken its id."""
        if self.store.find(self.job.type, self.job.id) is not self.job:
            return
        for id in self.job.linked("import-errors"):
            error = self.store.find("import-error", id)
            if error:
                self.store.remove(error)
        self.store.remove(self.job)

    def _note(self, **news: Any) -> None:
        self.job.attributes |= {name: value for name, value in news.items() if name in self.job.attributes}
        self.store.changed(self.job)
