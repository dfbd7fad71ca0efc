"""How a job ended: what its result says, which error it raises, what an import's report says of its records. Pure."""

from __future__ import annotations

from typing import Any

from tasks.jobs.kinds import JobKind
from tasks.jobs.ledger import Job, Settled
from tasks.jobs.records import names, reason
from tasks.jobs.rows import numbers
from worker import errors
from worker.errors import BY_END, KlaviyoError

#: Where a record of an import was turned down: by the request's refusal, or in its job.
REFUSED, JOB = "refused", "job"


def outcome(job: Job, kind: JobKind, told: list[dict[str, Any]]) -> dict[str, Any]:
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
        found["errors"] = [{name: value for name, value in each.items() if name != "sent"} for each in told]
    if job.failure:
        found["failure"] = job.failure
    return found


def raised(found: dict[str, Any]) -> KlaviyoError | None:
    """The error that stands for an outcome; None where the job ended well."""
    if failure := found.get("failure"):
        made: KlaviyoError = getattr(errors, failure["type"])(*failure["args"])
        return made
    badly = BY_END.get(found["status"])
    return badly(found["kind"], found["account"], found) if badly else None


def settled(job: Job, found: dict[str, Any], told: list[dict[str, Any]], listed: list[Any]) -> Settled:
    """The same for the ledger; for a part of an import, with what became of each of its records.

    ``told`` are the job's errors; ``listed`` the records of its request, as far as that is still there.
    """
    if not job.run or job.status == "split":
        return Settled(job.status, found)
    rows = numbers(job.rows)
    if error := raised(found):
        stage = REFUSED if job.status == "refused" else job.status
        rejects = [
            {"row": row, "stage": stage, "reason": str(error), "sent": one}
            for row, one in zip(rows, listed or [None] * len(rows), strict=True)
        ]
        refused = len(rows) if job.status == "refused" else 0
        return Settled(job.status, found, 0, refused, len(rows) - refused, rejects)
    places = {name: place for place, each in enumerate(listed) for name in names(each)}
    failed: dict[int, dict[str, Any]] = {}
    for each in told:
        place = each.get("index", places.get(str(each.get("name", "")).casefold()))
        if place is not None and place < len(rows):
            sent = each.get("sent") or (listed[place] if listed else None)
            failed.setdefault(rows[place], {"row": rows[place], "stage": JOB, "reason": reason(each), "sent": sent})
    rejects = [failed[row] for row in sorted(failed)]
    # Klaviyo may count more failures than there are records.
    untold = min(max(0, found.get("failed", 0) - len(failed)), len(rows) - len(failed))
    if untold:
        why = f"{untold} more failed among rows {job.rows}, and Klaviyo does not tell which"
        told_of = next(row for row in rows if row not in failed)
        rejects.append({"row": told_of, "stage": JOB, "reason": why, "sent": None})
    return Settled(job.status, found, len(rows) - len(failed) - untold, len(failed), untold, rejects)
