"""The tab Imports: the imports of two weeks, as `klaviyo imports` shows them, and how far each has come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from rich.text import Text

from cli.dashboard.table import (
    Bar,
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
    time_column,
    with_failures,
)
from cli.imports.history import jobs_that_ended_badly, rows_by_reason, run_facts, seconds, state
from cli.jobs import view as jobs_view
from tasks.jobs.import_runs import Run, get_runs
from tasks.jobs.ledger import Job
from tasks.jobs.rows import format_rows, parse_rows, shorten_rows
from worker.redis.homes import first
from worker.redis.patience import asking_redis_once

#: The most jobs that the page of an import shows, and the most stretches of rows of each reason.
MAX_JOBS, MAX_SPANS = 50, 100

#: A home directory, which is named after a person.
_HOME = re.compile(r"^(?:/home/|/Users/|[A-Z]:\\Users\\)[^/\\]+")

#: How rows are counted, and what to do about those that did not land.
ROW_NUMBERS = "counted from 1; the header line and empty rows do not count"
NEXT_STEP = (
    "Mend the rows in the reject file, then run `klaviyo import … FILE` with it, and with the options as before."
)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import as it stood at ``now``, a Unix time."""

    run: Run
    now: float

    @property
    def done(self) -> int:
        """How many of the rows that have been read have come to their end."""
        return self.run.rows - self.run.on_their_way

    @property
    def read_share(self) -> float | None:
        """How much of the source has been read; None where its size is not known."""
        return min(1.0, self.run.read / self.run.size) if self.run.size else None

    @property
    def rate(self) -> float:
        """Rows a second that came to their end."""
        return self.done / taken if (taken := seconds(self.run, self.now)) > 0 else 0.0

    @property
    def ready_at(self) -> float | None:
        """When it will end at its rate so far; None if it has ended, or if that is unknown."""
        if self.run.state != "running" or not self.rate or not self.read_share:
            return None
        return self.now + (self.run.rows / self.read_share - self.done) / self.rate


@asking_redis_once()
def read() -> Reading[ImportRow]:
    """Read the imports of the last two weeks, newest first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    now = get_runs().now()
    return Reading([ImportRow(run, now) for run in get_runs().recent()])


def _progress(each: ImportRow) -> Cell:
    share = 1.0 if each.run.state == "complete" else each.read_share
    if share is None:
        return Cell(f"{each.run.rows:,} rows read")
    ended = share * each.done / each.run.rows if each.run.rows else 0.0
    return Cell(bars=(Bar(ended, 1.0, f"{ended:.0%}"),))


TAB = Tab(
    "Imports",
    read,
    (
        Column("Run", lambda each: Cell(each.run.id, link=page_of("imports", each.run.id)), lambda each: each.run.id),
        minor(text_column("Kind", lambda each: each.run.kind)),
        text_column("Account", lambda each: each.run.account),
        text_column("Source", lambda each: PurePath(each.run.source).name),
        styled_column("State", lambda each: with_failures(state(each.run, each.now), each.run.failed)),
        Column("Progress", _progress, lambda each: each.read_share, number=True),
        count_column("Rows", lambda each: each.run.rows),
        count_column("Landed", lambda each: each.run.landed, "text-success"),
        count_column(
            "Not landed", lambda each: each.run.failed, "text-danger", lambda each: page_of("imports", each.run.id)
        ),
        minor(Column("Rows/s", lambda each: Cell(f"{each.rate:,.0f}"), lambda each: each.rate, number=True)),
        minor(time_column("Started", lambda each: each.run.started)),
        minor(duration_column("Time", lambda each: seconds(each.run, each.now))),
        time_column("Ready at", lambda each: each.ready_at),
        text_column("Reject file", lambda each: PurePath(each.run.rejects).name),
    ),
    lambda each: f"{each.run.id} {each.run.kind} {each.run.account} {each.run.state} {each.run.source}",
    "There was no import in the last two weeks.",
    troubles=lambda each: int(each.run.failed > 0 or each.run.state == "failed"),
    counted="imports that failed, in whole or in part",
    everywhere=True,
    order=lambda each: -each.run.started,
)


@dataclass(frozen=True, slots=True)
class BadJob:
    """A job of an import that failed, or some of whose rows did."""

    id: str
    state: str
    rows: str
    failed: int


@dataclass(frozen=True, slots=True)
class ImportPage:
    """What may be shown of one import: why rows have not landed, and the jobs in which they have not.

    ``left_out`` of these jobs did not fit.
    """

    facts: Sequence[tuple[str, Cell]]
    reasons: Sequence[tuple[str, int, str]]
    jobs: Sequence[BadJob]
    left_out: int


@asking_redis_once()
def read_import(id: str) -> ImportPage | None:
    """Read one import; None if there is none.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    return first(lambda: _read_here(id))


def _read_here(id: str) -> ImportPage | None:
    run = get_runs().run(id)
    return import_page(run, rows_by_reason(run), jobs_that_ended_badly(run), get_runs().now()) if run else None


def import_page(run: Run, reasons: Sequence[tuple[str, int, str]], jobs: Sequence[Job], now: float) -> ImportPage:
    """Return what an import's page shows: of its source the name, of its rejects where they are and what to do."""
    which = format_rows(sorted({row for *_, rows in reasons for row in parse_rows(rows)}))
    values: dict[str, Any] = dict(run_facts(run, now)) | {
        "source": PurePath(run.source).name,
        "rows that did not land": Text(shorten_rows(which, MAX_SPANS, run.failed), "red"),
        "row numbers": ROW_NUMBERS if which else "",
        "reject file": _reject_file(run),
        "what to do": NEXT_STEP if run.failed and run.rejects and run.ended else "",
    }
    shown = [
        BadJob(each.id, jobs_view.state_text(each).plain, jobs_view.row_span(each), jobs_view.failure_count(each))
        for each in jobs[:MAX_JOBS]
    ]
    facts = [
        (f"{name[:1].upper()}{name[1:]}", styled(value) if isinstance(value, Text) else Cell(value))
        for name, value in values.items()
        if value
    ]
    named = [(reason, count, shorten_rows(rows, MAX_SPANS, count)) for reason, count, rows in reasons]
    return ImportPage(facts, named, shown, len(jobs) - len(shown))


def _reject_file(run: Run) -> str:
    """Where the file is, as far as a run knows: its path, without the name of whoever has the home directory."""
    return f"{_HOME.sub('~', run.rejects)}, on the machine where the import ran" if run.rejects else ""
