"""How a job ended: its result, the error it raises, and what an import reports about its records. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.jobs.kinds import JobKind
from tasks.jobs.ledger import Job, JobOutcome
from tasks.jobs.records import names, reason
from tasks.jobs.rows import parse_rows
from worker.errors import BY_END, KlaviyoError, rebuild

#: Where a record of an import was rejected: with the whole request, or within its job.
REFUSED, JOB = "refused", "job"


def result_data(job: Job, kind: JobKind, details: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ``data`` of a job's result; ``details`` are its errors, or the resource that it was to make."""
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
        found["result"] = details[0] if details else None
    else:
        found["errors"] = [{name: value for name, value in each.items() if name != "sent"} for each in details]
    if job.failure:
        found["failure"] = job.failure
    return found


def outcome_error(found: dict[str, Any]) -> KlaviyoError | None:
    """Return the error that a job raises; None if it ended well."""
    if failure := found.get("failure"):
        return rebuild(failure["type"], failure["args"])
    error_type = BY_END.get(found["status"])
    return error_type(found["kind"], found["account"], found) if error_type else None


def job_outcome(job: Job, found: dict[str, Any], details: list[dict[str, Any]], listed: list[Any]) -> JobOutcome:
    """Return the outcome for the ledger; for a part of an import, with what became of each record.

    ``details`` are the job's errors; ``listed`` the records of its request, if that is still kept.
    """
    if not job.run or job.status == "split":
        return JobOutcome(job.status, found)
    rows = parse_rows(job.rows)
    if error := outcome_error(found):
        stage = REFUSED if job.status == "refused" else job.status
        rejects = [
            {"row": row, "stage": stage, "reason": str(error), "sent": one}
            for row, one in zip(rows, listed or [None] * len(rows), strict=True)
        ]
        refused = len(rows) if job.status == "refused" else 0
        return JobOutcome(job.status, found, 0, refused, len(rows) - refused, rejects)
    failed: dict[int, dict[str, Any]] = {}
    for index, each in errors_by_index(details, listed, len(rows)):
        sent = each.get("sent") or (listed[index] if listed else None)
        failed.setdefault(rows[index], {"row": rows[index], "stage": JOB, "reason": reason(each), "sent": sent})
    rejects = [failed[row] for row in sorted(failed)]
    # Klaviyo may count more failures than there are records.
    unnamed = min(max(0, found.get("failed", 0) - len(failed)), len(rows) - len(failed))
    if unnamed:
        why = f"{unnamed} more failed among rows {job.rows}, and Klaviyo does not say which"
        stand_in = next(row for row in rows if row not in failed)
        rejects.append({"row": stand_in, "stage": JOB, "reason": why, "sent": None})
    return JobOutcome(job.status, found, len(rows) - len(failed) - unnamed, len(failed), unnamed, rejects)


def errors_by_index(
    details: list[dict[str, Any]], listed: list[Any], count: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield a job's errors, each with the index of its record, of ``count``; those of no known record are left out."""
    indexes = {name: index for index, each in enumerate(listed) for name in names(each)}
    for each in details:
        index = each.get("index", indexes.get(str(each.get("name", "")).casefold()))
        if index is not None and index < count:
            yield index, each
