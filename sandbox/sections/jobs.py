"""Asynchronous jobs: queued, processing, then complete or as a rule says. They advance with the clock, item by item."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.call import Call
from sandbox.errors import ApiError, refusal
from sandbox.records.job_rules import Plan
from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

QUEUED_SHARE = 0.25
"""The share of a job's time that it waits before it starts."""

TURNING_POINT = 0.5
"""The share of a job's time after which it meets an outcome other than complete."""

JOB_LIFE_S = 7 * 86_400.0
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

DoItem = Callable[[int, float], bool]
"""Works on the item with this index at this time; returns False if it is skipped, raises `ApiError` if it fails."""
OnFailed = Callable[[int, dict[str, Any], float], None]
"""Keeps the error of the item with this index."""


def create(
    call: Call,
    type: str,
    *,
    total: int,
    do_item: DoItem,
    on_failed: OnFailed | None = None,
    on_cancelled: Callable[[float], None] | None = None,
    id: str | None = None,
    shape: tuple[str, ...] = IMPORT,
    max_jobs: int | None = None,
) -> Resource:
    """Create a job, if there is room. `shape` lists the attributes, besides the status, that this type of job has."""
    _check_room(call, type, max_jobs)
    plan = call.job_rules.plan(call.store.alias, type)
    expires = JOB_LIFE_S if plan.expires is None and "expires_at" in shape else plan.expires
    attributes: dict[str, Any] = {
        "total_count": total,
        "completed_count": 0,
        "failed_count": 0,
        "skipped_count": 0,
        "created_at": to_iso(call.now),
        "started_at": None,
        "completed_at": None,
        "expires_at": to_iso(call.now + plan.seconds + (expires or 0.0)),
        "errors": [],
    }
    job = call.store.add(type, {"status": "queued"} | {name: attributes[name] for name in shape}, id)
    if shape != BARE:
        call.store.note_body(type, call.body)
    progress = _Progress(call.store, job, plan, expires, total, call.now, do_item, on_failed, on_cancelled)
    call.store.schedule(progress.starts, progress.advance)
    return job


def _check_room(call: Call, type: str, usual: int | None) -> None:
    maximum = call.job_rules.cap(call.store.alias, type, usual)
    if maximum is not None and sum(job.attributes["status"] in IN_PROGRESS for job in call.store.all(type)) >= maximum:
        detail = f"Too many jobs in progress: at most {maximum} are allowed at one time."
        raise refusal(400, detail, code="too_many_jobs")


@dataclass(slots=True)
class _Progress:
    """A job and how far it has got."""

    store: Store
    job: Resource
    plan: Plan
    expires: float | None
    total: int
    created: float
    do_item: DoItem
    on_failed: OnFailed | None
    on_cancelled: Callable[[float], None] | None
    done: int = 0

    @property
    def starts(self) -> float:
        return self.created + self.plan.seconds * QUEUED_SHARE

    @property
    def ends(self) -> float:
        """When it will be complete, if it completes."""
        return self.created + self.plan.seconds

    @property
    def stops(self) -> float:
        """When it stops working on items."""
        return self.ends if self.plan.outcome == "complete" else self.created + self.plan.seconds * TURNING_POINT

    def advance(self, now: float) -> float | None:
        """Do what is due by now; returns when there is more to do."""
        if self.job.attributes["status"] == "cancelled":
            return None
        if self.job.attributes["status"] == "queued":
            self._note(status="processing", started_at=to_iso(self.starts))
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
            succeeded = self.do_item(index, now)
        except ApiError as failure:
            succeeded = False
            if self.on_failed:
                self.on_failed(index, failure.errors[0], now)
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
                if self.on_cancelled:
                    self.on_cancelled(now)
            case "complete":
                self._note(status="complete", completed_at=to_iso(self.ends))
        if self.expires is not None and self.plan.outcome in ("complete", "cancelled"):
            self.store.schedule(self.stops + self.expires, self._forget)

    def _forget(self, now: float) -> None:
        """Remove the job and its errors, unless a later job has its id."""
        if self.store.find(self.job.type, self.job.id) is not self.job:
            return
        for id in self.job.linked("import-errors"):
            error = self.store.find("import-error", id)
            if error:
                self.store.remove(error)
        self.store.remove(self.job)

    def _note(self, **news: Any) -> None:
        self.job.attributes |= {name: value for name, value in news.items() if name in self.job.attributes}
        self.store.note_change(self.job)
