"""Which step comes next for a job: the one place that maps each state of the ledger to a step.

Every step ends by calling `go_on`, and so does whoever finds a job whose step has died. The steps import this module;
it knows them only by their Celery names.
"""

from __future__ import annotations

from typing import Protocol

from tasks.jobs.kinds import JOB_KINDS, JobKind
from tasks.jobs.ledger import OPEN, Job, get_ledger
from worker.account_and_lane import TASK_PREFIX
from worker.app import registered
from worker.reminders import remind, sees_to

SPAWN, FIND, WATCH, POLL, READ, SETTLE = (
    f"{TASK_PREFIX}job_{step}" for step in ("spawn", "find", "watch", "poll", "read", "collect")
)

#: Seconds after which a published step that has not run is published once more: it may have failed in an unforeseen
#: way. If it was only waiting for budget, the second one finds that the job has moved on.
LOST_AFTER_S = 3_600.0


class JobStep(Protocol):
    """A task that carries a job on from one of its states."""

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Publish this step for a job, ``after`` seconds from now at the earliest."""


def go_on(*ids: str, after: float = 0.0) -> None:
    """Publish the next step of these jobs, ``after`` seconds from now at the earliest, and not before their time."""
    for job in get_ledger().jobs(ids).values():
        kind = JOB_KINDS[job.kind]
        wait = max(after, job.eta - get_ledger().now()) if job.eta else after
        if name := step_for(job, kind):
            step: JobStep = registered(name)
            step.publish(job, kind, wait)
        watched = job.state in OPEN and kind.listing is not None
        remind(f"job|{job.id}", None if watched else wait + LOST_AFTER_S)


def step_for(job: Job, kind: JobKind) -> str | None:
    """Return the name of the step that a job's state calls for; None if nothing is left to do."""
    match job.state:
        case "spawning" if job.sent and kind.trace:
            return FIND
        case "spawning":
            return SPAWN
        case "accepted" | "processing":
            return WATCH if kind.listing else POLL
        case "ended":
            return READ
        case _:
            return None


@sees_to("job")
def _take_up(id: str) -> None:
    go_on(id)


@sees_to("slots")
def _fill_slots(watched: str) -> None:
    go_on(*get_ledger().slots(watched))
