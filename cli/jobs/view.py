"""How jobs are shown: a table of many, everything about one, and both as JSON. None of it is personal data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.terminal.tables import Listing, facts, listing, most_frequent
from cli.terminal.times import clock, duration
from tasks.jobs.ledger import Job, get_ledger
from worker.errors import BY_END

#: The ends of a job that never started, or whose outcome is not known.
NEVER_STARTED = ("refused", "unknown")

#: The most errors of one job that are shown.
MAX_ERRORS = 50


def landed_count(job: Job) -> int | None:
    """Return how many of its records have landed; None if that is not known yet."""
    return job.landed if job.run and job.state == "settled" else job.counters.get("completed")


def failure_count(job: Job) -> int:
    """Return how many of its records have not landed, or may not have."""
    counted = job.rejected + job.unknown
    if job.run and job.state == "settled":
        return counted
    if job.status in (*BY_END, *NEVER_STARTED):
        return record_count(job) - (landed_count(job) or 0)
    return counted + job.counters.get("failed", 0)


def ended_badly(job: Job) -> bool:
    """Return True if it failed, or some of its records have failed so far."""
    return job.status in (*BY_END, *NEVER_STARTED) or failure_count(job) > 0


def failure_sentence(job: Job) -> str:
    """Return the sentence that says why it failed; empty if it did not."""
    if not job.failure and job.status not in BY_END:
        return ""
    # Imported here because the kinds of jobs import every action, which a list of jobs does not need.
    from tasks.jobs.outcome import outcome_error

    outcome = {"id": job.job_id or None, "kind": job.kind, "account": job.account, "status": job.status}
    error = outcome_error({**outcome, **job.counters, "failure": job.failure})
    return str(error) if error else ""


def table(jobs: Sequence[Job], now: float) -> Listing:
    """Lay out a row for each job."""
    id, several = "Klaviyo's id", len({job.account for job in jobs}) > 1
    shown = listing(
        "kind", "account", "state", id, "records>", "done>", "failed>", "age>", "run",
        whole=("kind", "state", id, "run"), optional=("run",) if several else ("run", "account"), below=(id, "account"),
    )  # fmt: skip
    for job in jobs:
        failed, landed = failure_count(job), landed_count(job)
        shown.add_row(
            job.kind,
            job.account,
            state_text(job),
            job.job_id or "-",
            f"{record_count(job):,}",
            "-" if landed is None else f"{landed:,}",
            Text(f"{failed:,}" if failed else "-", "red" if failed else ""),
            duration(now - job.opened),
            job.run or "-",
        )
    return shown


def record_count(job: Job) -> int:
    """Return how many records it had when it was opened, without those that another job has taken over."""
    if job.run and job.state == "settled":
        return job.landed + job.rejected + job.unknown
    return (job.counters.get("total") or job.items) + job.rejected


def details(job: Job, errors: Sequence[dict[str, Any]], now: float) -> Group:
    """Lay out everything that is known of a job."""
    known = facts(
        ("job", job.id),
        ("Klaviyo's id", job.job_id),
        ("kind", job.kind),
        ("account", job.account),
        ("state", state_text(job)),
        ("because", Text(failure_sentence(job), "red")),
        ("import", job.run),
        ("rows", row_span(job)),
        ("records", f"{record_count(job):,}"),
        ("Klaviyo counts", ", ".join(f"{count:,} {name}" for name, count in job.counters.items())),
        ("landed", f"{job.landed:,}" if job.run and job.state == "settled" else None),
        ("not landed", _not_landed(job)),
        ("sent again", f"{job.tries} ×" if job.tries else None),
        ("opened", f"{clock(job.opened)}, {duration(now - job.opened)} ago"),
        *((name, clock(at)) for name in ("sent", "accepted", "ended", "settled") if (at := getattr(job, name))),
        ("Klaviyo took", duration(job.seconds) if job.seconds is not None else None),
        ("result", _result(job)),
    )
    return Group(known, Text(), _errors(errors)) if errors else Group(known)


def as_dict(job: Job) -> dict[str, Any]:
    """Return a job as JSON-compatible values."""
    return {
        "id": job.id,
        "job_id": job.job_id or None,
        "kind": job.kind,
        "account": job.account,
        "state": job.state,
        "status": job.status or None,
        "run": job.run or None,
        "rows": job.rows or None,
        "records": record_count(job),
        "done": landed_count(job),
        "failed": failure_count(job),
        "counters": job.counters,
        "failure": failure_sentence(job) or None,
        **{
            name: clock(at) if (at := getattr(job, name)) else None
            for name in ("opened", "sent", "accepted", "ended", "settled")
        },
        "seconds": job.seconds,
    }


def errors_of(job: Job) -> list[dict[str, Any]]:
    """Return Klaviyo's errors about the records that failed; never the records themselves."""
    errors = (job.outcome or {}).get("errors") or get_ledger().errors_of(job.id)
    return [{name: value for name, value in each.items() if name != "sent"} for each in errors]


def state_text(job: Job) -> Text:
    """Return how it stands: what Klaviyo says, once nothing is left to do.

    It is green if all has landed, yellow if some records have not, and red if the job failed.
    """
    text = job.status if job.state == "settled" else job.state
    if job.status in (*BY_END, *NEVER_STARTED):
        return Text(text, "red")
    good = job.status in ("complete", "accepted") and job.state == "settled"
    return Text(text, "yellow" if failure_count(job) else "green" if good else "")


def row_span(job: Job) -> str:
    """Return which rows of an import it has: ``1 to 10,000``; empty for a job of no import."""
    rows = re.findall(r"\d+", job.rows)
    return f"{int(rows[0]):,} to {int(rows[-1]):,}" if rows else ""


def _not_landed(job: Job) -> str | None:
    if not job.run or not job.rejected + job.unknown:
        return None
    from tasks.imports.reasons import Reasons

    rejects = get_ledger().rejects_of(job.id)
    reasons = Reasons(each["reason"] for each in rejects if each["reason"] != failure_sentence(job))
    return ": ".join(filter(None, (f"{job.rejected + job.unknown:,}", most_frequent(reasons.most_frequent()))))


def _result(job: Job) -> str | None:
    result = (job.outcome or {}).get("result")
    return str((result or {}).get("attributes", result)) if result else None


def _errors(errors: Sequence[dict[str, Any]]) -> Listing:
    shown = listing("record>", "code", "what Klaviyo says", "pointer", whole=("pointer",), below=("pointer",))
    for each in errors[:MAX_ERRORS]:
        record = each.get("index", each.get("name", "-"))
        said = each.get("detail") or each.get("title") or "-"
        shown.add_row(*(Text(str(cell)) for cell in (record, each.get("code", "-"), said, each.get("pointer", "-"))))
    if len(errors) > MAX_ERRORS:
        shown.add_row("…", "", f"and {len(errors) - MAX_ERRORS:,} more; --json has all", "")
    return shown
