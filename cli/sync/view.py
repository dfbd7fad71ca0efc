"""Syncs as tables: every stream with its last run, the streams of one sync, and an estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from rich.text import Text

from cli.terminal.tables import Listing, listing
from cli.terminal.times import day_and_time, duration
from schedules.plan.estimate import Estimate, total_seconds
from schedules.stream_status import PullRun, StreamStatus

STYLES = {"done": "green", "failed": "red", "running": "cyan", "wanted": "dim"}

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Part:
    """One stream of a requested sync. ``state``: wanted, running, done or failed; ``run``: None until it has one."""

    account: str
    stream: str
    state: str
    run: PullRun | None
    error: str | None = None


T = TypeVar("T", StreamStatus, Part, Estimate)


def status_table(statuses: Sequence[StreamStatus], now: datetime) -> Listing:
    """Lay out the status of every stream."""
    several = _several(statuses)
    table = listing(
        several, "stream", "rows>", "read up to", "last run", "state", "mode", "read>", "requests>", "took>", "remarks",
        whole=("stream", "read up to", "last run", "state", "mode"),
        optional=("mode", "requests", "read up to", "read"), below=("remarks", several),
    )  # fmt: skip
    for each in families(statuses, _one_status):
        run = each.run
        cells: list[Cell] = [each.account] if several else []
        cells += [each.stream, f"{each.rows:,}", _time(each.watermark), _time(run.started if run else None)]
        cells += [_state(run.state if run else "-")]
        cells += [run.mode, f"{run.rows:,}", f"{run.requests:,}"] if run else ["-"] * 3
        table.add_row(*cells, duration(run.seconds(now) if run else None), _remarks(run))
    return table


def parts_table(parts: Sequence[Part], now: datetime) -> Listing:
    """Lay out how the streams of a sync have ended; errors are printed below, since they need more room."""
    several = _several(parts)
    table = listing(
        several, "stream", "state", "mode", "rows>", "requests>", "took>", "remarks",
        whole=("stream", "state", "mode"), optional=("mode",), below=("remarks", several),
    )  # fmt: skip
    for each in families(parts, _one_part):
        run = each.run
        cells: list[Cell] = [each.account] if several else []
        cells += [each.stream, _state(each.state), run.mode if run else "-"]
        cells += [f"{run.rows:,}", f"{run.requests:,}", duration(run.seconds(now))] if run else ["-", "-", "-"]
        table.add_row(*cells, Text() if each.state == "failed" else _remarks(run))
    return table


def plan_table(estimates: Sequence[Estimate]) -> Listing:
    """Lay out what each stream would take, and all of them together."""
    several, daily = _several(estimates), any(each.days for each in estimates)
    table = listing(
        several, "stream", "mode", "rows>", "requests>", "of the budget>", "of a day's>" if daily else "",
        "expected>", "known from",
        whole=("stream", "mode"), optional=("mode",), below=("known from", several),
    )  # fmt: skip
    for each in families(estimates, _one_estimate):
        cells: list[Cell] = [each.account] if several else []
        table.add_row(*cells, each.stream, each.mode, *_figures(each, daily), _known(each))
    if len(estimates) > 1:
        total = replace(_one_estimate("all", estimates), uncertainty=0.0, seconds=all_seconds(estimates))
        rows, asked, *_, seconds = _figures(total, daily)
        cells = [""] if several else []
        table.add_row(*cells, "all", "", rows, asked, *[""] * (1 + daily), seconds, "", style="bold")
    return table


def _figures(each: Estimate, daily: bool) -> list[str]:
    least = "≥ " if each.at_least else ""
    error = f" ± {each.uncertainty:.0%}" if each.uncertainty >= 0.01 else ""
    budget = f"{each.minutes:.0%} of 1 min" if each.minutes < 1 else f"{each.minutes:.1f} min"
    day = [f"{least}{each.days:.0%}" if each.days else "-"] if daily else []
    rows = "-" if each.rows is None else f"{least}{each.rows:,}"
    return [rows, f"{least}{each.requests:,}{error}", f"{least}{budget}", *day, f"{least}{duration(each.seconds)}"]


def all_seconds(estimates: Iterable[Estimate]) -> float:
    """Return how long all of them take: the accounts are read at the same time, each within its own budget."""
    return max(total_seconds(group) for _, group in groupby(estimates, lambda each: each.account))


def families(items: Iterable[T], merge: Callable[[str, Sequence[T]], T]) -> Iterator[T]:
    """Merge the streams of a family, such as ``jobs:…``: nobody reads one kind of jobs alone."""
    for (_, family), group in groupby(items, lambda each: (each.account, each.stream.partition(":")[0])):
        members = list(group)
        yield merge(family, members) if len(members) > 1 else members[0]


def _one_status(family: str, members: Sequence[StreamStatus]) -> StreamStatus:
    runs = [each.run for each in members if each.run]
    return StreamStatus(
        members[0].account, family, sum(each.rows for each in members), None, _one_run(runs) if runs else None
    )


def _one_part(family: str, members: Sequence[Part]) -> Part:
    runs = [each.run for each in members if each.run]
    worst = _worst(each.state for each in members)
    error = next((f"{each.stream}: {each.error}" for each in members if each.error), None)
    return Part(members[0].account, family, worst, _one_run(runs) if runs else None, error)


def _one_run(runs: Sequence[PullRun]) -> PullRun:
    worst = _worst(run.state for run in runs)
    ended = [run.ended for run in runs if run.ended]
    return replace(
        next(run for run in runs if run.state == worst),
        started=min(run.started for run in runs),
        ended=max(ended) if len(ended) == len(runs) else None,
        rows=sum(run.rows for run in runs),
        requests=sum(run.requests for run in runs),
        windows=sum(run.windows for run in runs),
        closed=sum(run.closed for run in runs),
    )


def _one_estimate(family: str, members: Sequence[Estimate]) -> Estimate:
    """Merge estimates. Each stream has its own budget: the largest share of one is shown."""
    days = [each.days for each in members if each.days]
    return replace(
        members[0],
        stream=family,
        rows=sum(each.rows or 0 for each in members),
        requests=sum(each.requests for each in members),
        at_least=any(each.at_least for each in members),
        minutes=max(each.minutes for each in members),
        days=max(days) if days else None,
        seconds=max(each.seconds for each in members),
        probes=sum(each.probes for each in members),
    )


def _worst(states: Iterable[str]) -> str:
    return max(states, key=("done", "wanted", "running", "failed").index)


def _several(items: Sequence[StreamStatus] | Sequence[Part] | Sequence[Estimate]) -> str:
    """Return the header of the column of accounts, empty if there is only one."""
    return "account" if len({each.account for each in items}) > 1 else ""


def windows_read(run: PullRun) -> str:
    """Format how many windows of a run have been read: 3/7."""
    return f"{run.closed:,}/{run.windows:,}"


def remarks(run: PullRun) -> str:
    """Return why a run failed, how far one has come, or what there is to say of it."""
    if run.error:
        return run.error
    if run.state == "running":
        return f"windows {windows_read(run)}"
    return run.note or (f"{run.deleted:,} deleted" if run.deleted else "")


def _remarks(run: PullRun | None) -> Text:
    return Text(remarks(run), "red" if run.error else "") if run else Text()


def _known(each: Estimate) -> str:
    return f"{each.source} ({requests(each.probes)})" if each.probes else each.source


def requests(count: int) -> str:
    """Format a number of requests: 1 request, 20 requests."""
    return f"{count:,} request{'' if count == 1 else 's'}"


def _state(state: str) -> Text:
    return Text(state, STYLES.get(state, ""))


def _time(moment: datetime | None) -> str:
    return day_and_time(moment.timestamp()) if moment else "-"
