"""The tab Jobs: the asynchronous jobs as `klaviyo jobs` shows them, and one job with Klaviyo's errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli import jobs_view
from cli.dashboard.table import Cell, Column, Reading, Tab, count_column, duration_column, styled_column, text_column
from cli.jobs import DEFAULT_SINCE, in_order, read_jobs, urgency
from cli.times import clock, duration
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.rows import numbers
from worker.patience import asking_redis_once
from worker.redis.homes import at_redis, first, here

#: The most jobs of the last day that the tab has, beside those in progress.
MAX_JOBS = 2_000

#: Of one job, the most reasons that the tab has, and records of each.
MAX_REASONS, MAX_RECORDS = 2, 3


@dataclass(frozen=True, slots=True)
class Dated:
    """A job, the name of the Redis that has it, and how old it was when it was read, in seconds.

    ``because``: why it, or records of it, failed.
    """

    job: Job
    redis: str
    age: float
    because: str = ""


@asking_redis_once()
def read() -> Reading[Dated]:
    """Read the jobs in progress and those of the last day, newest first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    now = get_ledger().now()
    found = in_order(read_jobs(DEFAULT_SINCE, MAX_JOBS))
    notes = [f"Only the newest {MAX_JOBS:,} jobs are here."] if len(found) >= MAX_JOBS else []
    return Reading([Dated(job, here(), now - job.opened) for job in found], notes)


@asking_redis_once()
def refresh(shown: Sequence[Dated]) -> list[Dated]:
    """Say of each job that ended badly why it did.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return [_explained(each) if jobs_view.ended_badly(each.job) else each for each in shown]


def _explained(each: Dated) -> Dated:
    with at_redis(each.redis):
        return replace(each, because=explain(each.job, jobs_view.errors_of(each.job)))


def explain(job: Job, errors: Iterable[dict[str, Any]]) -> str:
    """Return why a job failed, or why which of its records did: ``invalid phone number (records 4, 17, 21, …)``.

    Of an import, these are rows of its source.
    """
    if sentence := jobs_view.failure_sentence(job):
        return sentence
    rows = numbers(job.rows)
    found: dict[str, list[str]] = {}
    for each in errors:
        error = _error(each)
        place = error["record"]
        known = isinstance(place, int) and place < len(rows)
        found.setdefault(error["said"], []).append(str(rows[place] if known else place))
    what = "row" if rows else "record"
    told = [f"{said.rstrip('.')} ({_numbered(what, places)})" for said, places in found.items()]
    more = len(told) - MAX_REASONS
    return "; ".join(told[:MAX_REASONS]) + (
        f"; and {more:,} other reason{'' if more == 1 else 's'}" if more > 0 else ""
    )


def _numbered(what: str, places: Sequence[str]) -> str:
    named = ", ".join(places[:MAX_RECORDS]) + (", …" if len(places) > MAX_RECORDS else "")
    return f"{what}{'' if len(places) == 1 else 's'} {named}"


def _words(job: Job) -> str:
    return f"{job.kind} {job.account} {jobs_view.state_text(job)} {job.job_id} {job.id} {job.run}"


TAB = Tab(
    "Jobs",
    read,
    (
        Column(
            "Kind",
            lambda each: Cell(each.job.kind.removeprefix("bulk_"), link=f"jobs/{each.job.id}"),
            lambda each: each.job.kind.removeprefix("bulk_"),
        ),
        text_column("Account", lambda each: each.job.account),
        styled_column("State", lambda each: jobs_view.state_text(each.job)),
        text_column("Klaviyo's id", lambda each: each.job.job_id),
        count_column("Records", lambda each: jobs_view.record_count(each.job)),
        count_column("Done", lambda each: jobs_view.landed_count(each.job)),
        count_column(
            "Failed",
            lambda each: jobs_view.failure_count(each.job),
            "text-danger",
            lambda each: f"jobs/{each.job.id}",
        ),
        text_column("Because", lambda each: each.because),
        duration_column("Age", lambda each: each.age),
        Column(
            "Import",
            lambda each: Cell(each.job.run, link=f"imports/{each.job.run}") if each.job.run else Cell("-"),
            lambda each: each.job.run,
        ),
    ),
    lambda each: _words(each.job),
    "No job has started in the last day.",
    refresh,
    everywhere=True,
    order=lambda each: urgency(each.job),
)


@dataclass(frozen=True, slots=True)
class JobPage:
    """Everything that may be told of one job; ``left_out`` errors did not fit."""

    facts: list[tuple[str, str]]
    errors: list[dict[str, Any]]
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
    return job_page(job, jobs_view.errors_of(job), ledger.now()) if job else None


def job_page(job: Job, errors: list[dict[str, Any]], now: float) -> JobPage:
    """Return what a job's page shows."""
    landed = jobs_view.landed_count(job)
    facts = [
        ("Job", job.id),
        ("Klaviyo's id", job.job_id),
        ("Kind", job.kind),
        ("Account", job.account),
        ("State", jobs_view.state_text(job).plain),
        ("Because", jobs_view.failure_sentence(job)),
        ("Import", job.run),
        ("Rows", jobs_view.row_span(job)),
        ("Records", f"{jobs_view.record_count(job):,}"),
        ("Done", "" if landed is None else f"{landed:,}"),
        ("Failed", f"{jobs_view.failure_count(job):,}"),
        ("Opened", f"{clock(job.opened)}, {duration(now - job.opened)} ago"),
        ("Klaviyo took", duration(job.seconds) if job.seconds is not None else ""),
    ]
    shown = [_error(each) for each in errors[: jobs_view.MAX_ERRORS]]
    return JobPage([each for each in facts if each[1]], shown, max(0, len(errors) - len(shown)))


def _error(error: dict[str, Any]) -> dict[str, Any]:
    """Return an error without what names a record: a catalog item's name may be a person's, an index is not."""
    said = str(error.get("detail") or error.get("title") or "-")
    return {
        "record": error.get("index", "-"),
        "code": error.get("code", "-"),
        "said": said,
        "pointer": error.get("pointer", "-"),
    }
