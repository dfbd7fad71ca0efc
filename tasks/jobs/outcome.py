"""How a job ended: what its result says, which error it raises, what an import's report says of its records. Pure."""

from __future__ import annotations

from typing import Any

from tasks.jobs.kinds import Kind
from tasks.jobs.records import reason
from tasks.jobs.rows import numbers
from worker import errors
from worker.errors import JobCancelled, JobExpired, JobFailed, JobTimedOut, JobVanished, KlaviyoError
from worker.ledger import Job, Settled

#: How a job may end other than well.
BADLY: dict[str, type[JobFailed]] = {
    "cancelled": JobCancelled,
    "vanished": JobVanished,
    "expired": JobExpired,
    "stuck": JobTimedOut,
}


def outcome(job: Job, kind: Kind, told: list[dict[str, Any]]) -> dict[str, Any]:
    """The ``data`` of the job's result; ``told`` are its errors, or what it was for."""
    found: dict[str, Any] = {
        "type": "job",
        "id": job.job_id or None,
        "kind": job.kind,
        "account": job.account,
        "status": job.status,
        **job.counters,
        "seconds": None if job.seconds is None else round(job.seconds, 3),
    }
    if kind.result is not None:
        found["result"] = told[0] if told else None
    else:
        found["errors"] = told
    if job.failure:
        found["failure"] = job.failure
    return found


def raised(found: dict[str, Any]) -> KlaviyoError | None:
    """The error that stands for an outcome; None where the job ended well."""
    if failure := found.get("failure"):
        made: KlaviyoError = getattr(errors, failure["type"])(*failure["args"])
        return made
    badly = BADLY.get(found["status"])
    return badly(found["kind"], found["account"], found) if badly else None


def settled(job: Job, found: dict[str, Any], places: dict[str, int]) -> Settled:
    """The same for the ledger; for a part of an import, with what became of each of its records.

    ``places`` tells the place of a record that an error knows by its name only.
    """
    if not job.run or job.status == "split":
        return Settled(job.status, found)
    rows = numbers(job.rows)
    if error := raised(found):
        stage = "refused" if job.status == "refused" else job.status
        rejects = [{"row": row, "stage": stage, "reason": str(error)} for row in rows]
        refused = len(rows) if job.status == "refused" else 0
        return Settled(job.status, found, 0, refused, len(rows) - refused, rejects)
    failed: dict[int, str] = {}
    for each in found.get("errors") or ():
        place = each.get("index", places.get(str(each.get("name", "")).casefold()))
        if place is not None and place < len(rows):
            failed.setdefault(rows[place], reason(each))
    rejects = [{"row": row, "stage": "job", "reason": why} for row, why in sorted(failed.items())]
    untold = max(0, found.get("failed", 0) - len(failed))
    if untold:
        why = f"{untold} more failed among rows {job.rows}, and Klaviyo does not tell which"
        rejects.append({"row": rows[0], "stage": "job", "reason": why})
    return Settled(job.status, found, len(rows) - len(failed) - untold, len(failed), untold, rejects)
