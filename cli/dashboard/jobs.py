"""The tab Jobs: the asynchronous jobs as `klaviyo jobs` shows them, and one job with Klaviyo's errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from cli.dashboard.table import (
    Cell,
    Column,
    Reading,
    Tab,
    count_column,
    duration_column,
    minor,
    page_of,
    styled,
    styled_column,
    text_column,
    with_failures,
)
from cli.failures.advice import REFUSED_AS_WRONG
from cli.jobs import view as jobs_view
from cli.jobs.command import DEFAULT_SINCE, in_order, read_jobs, urgency
from cli.terminal.times import clock, duration
from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.rows import format_rows, parse_rows, shorten_rows
from worker.redis.homes import at_redis, first, here
from worker.redis.patience import asking_redis_once

#: The most jobs of the last day that the tab has, beside those in progress.
MAX_JOBS = 2_000

#: Of one job, the most reasons that the tab has, and the most stretches of rows of each, there and on the job's page.
MAX_REASONS, MAX_SPANS, MAX_SPANS_ON_PAGE = 2, 8, 100

#: The place of a record in a pointer.
_PLACE = re.compile(r"/\d+(?=/|$)")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, the name of the Redis that has it, and how old it was when it was read, in seconds.

    ``because``: why it, or records of it, failed.
    """

    job: Job
    redis: str
    age: float
    because: str = ""


@asking_redis_once()
def read() -> Reading[JobRow]:
    """Read the jobs in progress and those of the last day, newest first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    now = get_ledger().now()
    found = in_order(read_jobs(DEFAULT_SINCE, MAX_JOBS))
    notes = [f"Only the newest {MAX_JOBS:,} jobs are here."] if len(found) >= MAX_JOBS else []
    return Reading([JobRow(job, here(), now - job.opened) for job in found], notes)


@asking_redis_once()
def refresh(shown: Sequence[JobRow]) -> list[JobRow]:
    """Say of each job that ended badly why it did.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return [_explained(each) if jobs_view.ended_badly(each.job) else each for each in shown]


def _explained(each: JobRow) -> JobRow:
    with at_redis(each.redis):
        # What a sentence explains needs no errors, and these may be many.
        errors = [] if jobs_view.failure_sentence(each.job) else errors_of(each.job)
        return replace(each, because=explain(each.job, errors))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why ``count`` records of a job have not landed, and which, as far as that is known: ``1-9,11``.

    Those of an import are rows of its source, counted from 1; others have an index, which Klaviyo counts from 0.
    """

    said: str
    code: str
    pointer: str
    count: int
    places: str


def errors_of(job: Job) -> list[dict[str, Any]]:
    """Return what Klaviyo says of the records that failed; of a part of an import also of rows that it left out."""
    errors = jobs_view.errors_of(job)
    # The rejects of a part hold its records, too: they are read only where they say more.
    if not job.run or job.state != "settled" or len(errors) >= jobs_view.failure_count(job):
        return errors
    return [{"row": each["row"], "detail": each["reason"]} for each in get_ledger().rejects_of(job.id)]


def reasons_of(job: Job, errors: Iterable[dict[str, Any]]) -> list[Reason]:
    """Return the errors of a job's records, those that are alike together; what names a record is left out."""
    rows = parse_rows(job.rows)
    found: dict[tuple[str, str, str], list[int | None]] = {}
    for each in errors:
        place = each.get("row", each.get("index"))
        if "row" not in each and isinstance(place, int) and rows:
            place = rows[place] if place < len(rows) else None
        said = str(each.get("detail") or each.get("title") or "-").rstrip(".")
        alike = said, str(each.get("code", "-")), _PLACE.sub("/…", str(each.get("pointer", "-")))
        found.setdefault(alike, []).append(place if isinstance(place, int) else None)
    return [
        Reason(*alike, len(places), format_rows(sorted({place for place in places if place is not None})))
        for alike, places in found.items()
    ]


def explain(job: Job, errors: Iterable[dict[str, Any]]) -> str:
    """Return why a job failed, or why which of its records did: ``invalid phone number (rows 4, 17-21)``."""
    if sentence := jobs_view.failure_sentence(job):
        return f"{sentence} (rows {shorten_rows(job.rows, MAX_SPANS, job.items)})" if job.rows else sentence
    reasons = [
        f"{each.said} ({describe_places(job, each)})" if each.places else each.said for each in reasons_of(job, errors)
    ]
    more = len(reasons) - MAX_REASONS
    return "; ".join(reasons[:MAX_REASONS]) + (
        f"; and {more:,} other reason{'' if more == 1 else 's'}" if more > 0 else ""
    )


def describe_places(job: Job, reason: Reason) -> str:
    """Return which records a reason concerns: ``rows 4, 17-21 and 3 more``, ``index 0, from 0``."""
    one, several = ("row", "rows") if job.rows else ("index", "indexes")
    alone = reason.count == 1
    counted = "" if job.rows else ", from 0"
    return f"{one if alone else several} {shorten_rows(reason.places, MAX_SPANS, reason.count)}{counted}"


def advise(job: Job) -> str:
    """Return what to do with a job that did not begin; empty for any other."""
    if job.status not in jobs_view.NEVER_STARTED or not jobs_view.failure_count(job):
        return ""
    if job.run:
        return "Its rows are in the reject file of its import: the page of that import says what to do with them."
    if job.status == "unknown":
        return "Look in Klaviyo whether it was carried out; if not, call it again."
    if (job.failure or {}).get("type") in REFUSED_AS_WRONG:
        return "Klaviyo would refuse the same job again: call it again with other values."
    return "Call it again once the cause is gone."


def _words(job: Job) -> str:
    return f"{job.kind} {job.account} {jobs_view.state_text(job)} {job.job_id} {job.id} {job.run}"


TAB = Tab(
    "Jobs",
    read,
    (
        Column(
            "Kind",
            lambda each: Cell(each.job.kind, link=page_of("jobs", each.job.id)),
            lambda each: each.job.kind,
        ),
        text_column("Account", lambda each: each.job.account),
        styled_column(
            "State", lambda each: with_failures(jobs_view.state_text(each.job), jobs_view.failure_count(each.job))
        ),
        minor(text_column("Klaviyo's id", lambda each: each.job.job_id)),
        count_column("Records", lambda each: jobs_view.record_count(each.job)),
        minor(count_column("Done", lambda each: jobs_view.landed_count(each.job))),
        count_column(
            "Failed",
            lambda each: jobs_view.failure_count(each.job),
            "text-danger",
            lambda each: page_of("jobs", each.job.id),
        ),
        text_column("Because", lambda each: each.because),
        duration_column("Age", lambda each: each.age),
        Column(
            "Import",
            lambda each: Cell(each.job.run, link=page_of("imports", each.job.run)) if each.job.run else Cell("-"),
            lambda each: each.job.run,
        ),
    ),
    lambda each: _words(each.job),
    "No job has started in the last day.",
    refresh,
    troubles=lambda each: int(jobs_view.ended_badly(each.job)),
    counted="jobs that failed, in whole or in part",
    everywhere=True,
    order=lambda each: urgency(each.job),
)


@dataclass(frozen=True, slots=True)
class JobPage:
    """What may be shown of one job; ``left_out`` reasons did not fit.

    ``counted`` says what the places of the records are, and from where they are counted.
    """

    facts: list[tuple[str, Cell]]
    reasons: list[Reason]
    counted: str
    left_out: int


@asking_redis_once()
def read_job(id: str) -> JobPage | None:
    """Read one job, by our id or by Klaviyo's; None if there is none.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return first(lambda: _read_here(id))


def _read_here(id: str) -> JobPage | None:
    ledger = get_ledger()
    job = ledger.job(id) or ledger.known_as(id)
    if job is None:
        return None
    run = get_runs().run(job.run) if job.run else None
    return job_page(job, errors_of(job), ledger.now(), PurePath(run.rejects).name if run else "")


def job_page(job: Job, errors: list[dict[str, Any]], now: float, reject_file: str = "") -> JobPage:
    """Return what a job's page shows; ``reject_file`` is that of its import."""
    landed, reasons = jobs_view.landed_count(job), reasons_of(job, errors)
    which = format_rows(sorted({row for each in reasons for row in parse_rows(each.places)})) if job.rows else ""
    facts: list[tuple[str, str | Cell]] = [
        ("Job", job.id),
        ("Klaviyo's id", job.job_id),
        ("Kind", job.kind),
        ("Account", job.account),
        ("State", styled(jobs_view.state_text(job))),
        ("Because", jobs_view.failure_sentence(job)),
        ("What to do", advise(job)),
        ("Import", Cell(job.run, link=page_of("imports", job.run))),
        ("Rows", jobs_view.row_span(job)),
        (
            "Rows that did not land",
            Cell(shorten_rows(which, MAX_SPANS_ON_PAGE, jobs_view.failure_count(job)), "text-danger"),
        ),
        ("Reject file", reject_file),
        ("Records", f"{jobs_view.record_count(job):,}"),
        ("Done", "" if landed is None else f"{landed:,}"),
        ("Not landed", f"{jobs_view.failure_count(job):,}"),
        ("Opened", f"{clock(job.opened)}, {duration(now - job.opened)} ago"),
        ("Klaviyo took", duration(job.seconds) if job.seconds is not None else ""),
    ]
    cells = [(name, value if isinstance(value, Cell) else Cell(value)) for name, value in facts]
    shown = [
        replace(each, places=shorten_rows(each.places, MAX_SPANS_ON_PAGE, each.count))
        for each in reasons[: jobs_view.MAX_ERRORS]
    ]
    counted = "Row of the source, without its header" if job.rows else "Index, from 0"
    return JobPage([each for each in cells if each[1].text], shown, counted, len(reasons) - len(shown))
