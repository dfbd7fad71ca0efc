"""How an import looks: its progress on standard error, and its report or estimate as a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.no_worker import NO_WORKER
from cli.terminal.live import LiveView
from cli.terminal.printing import say, stderr
from cli.terminal.tables import Listing, facts, listing, most_frequent
from cli.terminal.times import duration
from tasks.jobs.import_runs import Run
from worker.governor import get_governor

if TYPE_CHECKING:
    from tasks.imports import Estimate, Report

#: Seconds between two lines where there is no terminal.
LINE_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How far an import has come. ``total`` and ``left``, in seconds, are None if they are unknown."""

    done: int
    total: int | None
    per_second: float
    left: float | None


class Progress(LiveView):
    """A live view of a run."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console or stderr(), transient=True)
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._printed_at = 0.0
        self._working = True
        self.run: Run | None = None

    def __call__(self, run: Run) -> None:
        """Show the run as it stands."""
        if self.run is None:
            self._console.print(Text(f"{run.kind} from {run.source}, account {run.account}, run {run.id}"))
            self._printed_at = self._clock()
        self.run = run
        if run.parts > run.settled:
            self._look_for_workers()
        pace = self.pace(run)
        if self.is_live:
            self.draw(_living(run, pace))
        elif self._clock() - self._printed_at >= LINE_INTERVAL_S:
            self._printed_at = self._clock()
            self._console.print(Text("; ".join(progress_lines(run, pace))), soft_wrap=True)

    def _look_for_workers(self) -> None:
        """Say once that no worker runs."""

        working = bool(get_governor().slots())
        if self._working and not working:
            self._console.print(Text(NO_WORKER, "yellow"), soft_wrap=not self.is_live)
        if not working:
            self._began = None
        self._working = working

    def pace(self, run: Run) -> Pace:
        """Return how fast rows have landed since a worker was there, and when the last one will.

        Rows that are turned down take no time, and say nothing of the others.
        """
        now, done = self._clock(), run.failed + run.unchanged + run.withdrawn + run.landed
        self._began = self._began or (now, run.landed)
        seconds, before = now - self._began[0], self._began[1]
        per_second = (run.landed - before) / seconds if seconds > 0 else 0.0
        total = max(done, run.rows * run.size // run.read) if run.read else None
        left = (total - done) / per_second if total is not None and per_second > 0 else None
        return Pace(done, total, per_second, left)


def progress_lines(run: Run, pace: Pace) -> Sequence[str]:
    """How far the rows are, and how far the jobs."""
    share = f" ({run.read / run.size:.0%} of the file)" if run.size else ""
    end = f", ends in about {duration(pace.left)}" if pace.left is not None else ""
    return (
        f"rows  {run.rows:,} read{share}, {run.landed:,} landed, {run.failed:,} did not",
        f"jobs  {run.parts:,} begun, {run.settled:,} settled; {pace.per_second:,.0f} rows/s{end}",
    )


def _living(run: Run, pace: Pace) -> Group:
    bar = Table.grid()
    bar.add_row(ProgressBar(total=pace.total, completed=pace.done, pulse=pace.total is None))
    return Group(bar, *(Text(line) for line in progress_lines(run, pace)))


def report_table(report: Report) -> Table:
    """Return what became of the rows, and what it took."""
    rate = f" ({report.rows / report.seconds:,.0f} rows/s)" if report.seconds else ""
    return facts(
        ("run", report.run),
        ("rows", f"{report.rows:,}"),
        ("landed", Text(f"{report.landed:,}", "green")),
        ("unchanged", f"{report.unchanged:,}" if report.unchanged else None),
        ("not landed", describe_not_landed(report)),
        ("withdrawn", describe_withdrawn(report.withdrawn, report.run, report.kind)),
        ("requests", f"{report.requests:,}, for {count_jobs(report.jobs)} and {format_size(report.bytes)}"),
        ("time", f"{duration(report.seconds)}{rate}"),
        ("reject file", report.rejects),
        ("left out", describe_left_out(report.left_out)),
    )


def describe_left_out(columns: Sequence[tuple[str, str]]) -> str:
    """The columns that were left out without being asked for, grouped by why."""
    by_reason: dict[str, list[str]] = {}
    for column, why in columns:
        by_reason.setdefault(why, []).append(column)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())


def describe_not_landed(outcome: Report | Run) -> Text:
    """Return how many rows have not landed, and where that was decided."""
    parts = {"before sending": outcome.checked, "by Klaviyo": outcome.rejected, "unknown": outcome.unknown}
    where = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    return Text(f"{outcome.failed:,}: {where}", "red") if where else Text("0")


def describe_withdrawn(count: int, run: str, kind: str) -> Text | None:
    """How many rows of a run were taken back before they were sent, and how they are sent after all."""
    if not count:
        return None
    # What compares with a catalog cannot be resumed.
    how = "the same import, started again," if kind.startswith("upsert_") else f"the same import with --run {run}"
    return Text(f"{count:,}: {how} sends them", "yellow")


def estimate_table(estimate: Estimate) -> Table:
    """What an import would take."""
    return facts(
        ("rows", f"{estimate.rows:,}"),
        ("unchanged", f"{estimate.unchanged:,}" if estimate.unchanged else None),
        ("rejected", Text(f"{estimate.checked:,}", "red" if estimate.checked else "")),
        ("requests", f"{estimate.requests:,}, for {count_jobs(estimate.jobs)} and {format_size(estimate.bytes)}"),
        ("time", f"{duration(estimate.seconds)} until the last request is sent, if nothing else uses the limit"),
        ("left out", describe_left_out(estimate.left_out)),
    )


def rejects_table(estimate: Estimate) -> Listing:
    """Why rows would be turned down, the most frequent reason first."""
    table = listing("rows>", "would be rejected because", "such as row")
    for reason, count, first in estimate.reasons:
        more = ", …" if count > len(first) else ""
        table.add_row(f"{count:,}", reason, ", ".join(f"{row:,}" for row in first) + more)
    return table


def say_what_failed(report: Report) -> None:
    """Say in one sentence which rows did not land, and why."""
    why = most_frequent(report.reasons)
    where = f" They are in {report.rejects}." if report.rejects else ""
    say(f"{report.failed:,} of {report.rows:,} rows did not land: {why}.{where}", "red")


def count_jobs(count: int) -> str:
    """Return ``1 job``, ``20 jobs``."""
    return f"{count:,} job{'' if count == 1 else 's'}"


def format_size(count: int) -> str:
    """Return a number of bytes as people read it."""
    if count < 1_000_000:
        return f"{count / 1_000:,.1f} KB"
    return f"{count / 1_000_000:,.1f} MB"
