"""How syncs look as tables: every stream and its last run, the streams of a sync, and what one would take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from rich.text import Text

from cli.tables import Listing, listing
from cli.times import day_and_time, duration
from schedules.plan.estimate import Estimate, together
from schedules.standing import PullRun, Standing

STYLES = {"done": "green", "failed": "red", "running": "cyan", "wanted": "dim"}

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Part:
    """One stream of a sync that was asked for. ``state``: wanted, running, done or failed; ``run`` once it has one."""

    account: str
    stream: str
    state: str
    run: PullRun | None
    error: str | None = None


T = TypeVar("T", Standing, Part, Estimate)


def standings_table(standings: Sequence[Standing], now: datetime) -> Listing:
    """Where every stream stands."""
    several = _several(standings)
    table = listing(
        several, "stream", "rows>", "read up to", "last run", "state", "mode", "read>", "requests>", "took>", "remarks",
        whole=("stream", "read up to", "last run", "state", "mode"), spare=("mode", "requests", "read up to", "read"),
        below=("remarks", several),
    )  # fmt: skip
    for each in families(standings, _one_standing):
        run = each.run
        cells: list[Cell] = [each.account] if several else []
        cells += [each.stream, f"{each.rows:,}", _time(each.watermark), _time(run.started if run else None)]
        cells += [_state(run.state if run else "-")]
        cells += [run.mode, f"{run.rows:,}", f"{run.requests:,}"] if run else ["-"] * 3
        table.add_row(*cells, duration(run.seconds(now) if run else None), _remarks(run))
    return table


def parts_table(parts: Sequence[Part], now: datetime) -> Listing:
    """How the streams of a sync have ended; the reasons of those that failed need more room."""
    several = _several(parts)
    table = listing(
        several, "stream", "state", "mode", "rows>", "requests>", "took>", "remarks",
        whole=("stream", "state", "mode"), spare=("mode",), below=("remarks", several),
    )  # fmt: skip
    for each in families(parts, _one_part):
        run = each.run
        cells: list[Cell] = [each.account] if several else []
        cells += [each.stream, _state(each.state), run.mode if run else "-"]
        cells += [f"{run.rows:,}", f"{run.requests:,}", duration(run.seconds(now))] if run else ["-", "-", "-"]
        table.add_row(*cells, Text() if each.state == "failed" else _remarks(run))
    return table


def plan_table(estimates: Sequence[Estimate]) -> Listing:
    """What each stream would take, and all of them."""
    several, daily = _several(estimates), any(each.days for each in estimates)
    table = listing(
        several, "stream", "mode", "rows>", "requests>", "of the budget>", "of a day's>" if daily else "",
        "expected>", "known from",
        whole=("stream", "mode"), spare=("mode",), below=("known from", several),
    )  # fmt: skip
    for each in families(estimates, _one_estimate):
        cells: list[Cell] = [each.account] if several else []
        table.add_row(*cells, each.stream, each.mode, *_figures(each, daily), _known(each))
    if len(estimates) > 1:
        total = replace(_one_estimate("all", estimates), off=0.0, seconds=all_seconds(estimates))
        rows, asked, *_, seconds = _figures(total, daily)
        cells = [""] if several else []
        table.add_row(*cells, "all", "", rows, asked, *[""] * (1 + daily), seconds, "", style="bold")
    return table


def _figures(each: Estimate, daily: bool) -> list[str]:
    least = "≥ " if each.at_least else ""
    off = f" ± {each.off:.0%}" if each.off >= 0.01 else ""
    budget = f"{each.minutes:.0%} of 1 min" if each.minutes < 1 else f"{each.minutes:.1f} min"
    day = [f"{least}{each.days:.0%}" if each.days else "-"] if daily else []
    rows = "-" if each.rows is None else f"{least}{each.rows:,}"
    return [rows, f"{least}{each.requests:,}{off}", f"{least}{budget}", *day, f"{least}{duration(each.seconds)}"]


def all_seconds(estimates: Iterable[Estimate]) -> float:
    """How long all of them take: the accounts' streams are read at once, each within its own budget."""
    return max(together(group) for _, group in groupby(estimates, lambda each: each.account))


def families(told: Iterable[T], one: Callable[[str, Sequence[T]], T]) -> Iterator[T]:
    """Streams of the same family, ``jobs:…`` of every kind, as ``one``: nobody reads a kind of jobs alone."""
    for (_, family), group in groupby(told, lambda each: (each.account, each.stream.partition(":")[0])):
        members = list(group)
        yield one(family, members) if len(members) > 1 else members[0]


def _one_standing(family: str, members: Sequence[Standing]) -> Standing:
    runs = [each.run for each in members if each.run]
    return Standing(
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
    """Each has a budget of its own: of that the share of whichever takes most of it is told."""
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


def _several(told: Sequence[Standing] | Sequence[Part] | Sequence[Estimate]) -> str:
    """The header of the accounts' column, where there are several."""
    return "account" if len({each.account for each in told}) > 1 else ""


def windows(run: PullRun) -> str:
    """How many of its windows have been read: 3/7."""
    return f"{run.closed:,}/{run.windows:,}"


def _remarks(run: PullRun | None) -> Text:
    if run is None or run.error:
        return Text(run.error or "" if run else "", "red")
    if run.state == "running":
        return Text(f"windows {windows(run)}")
    return Text(run.note or (f"{run.deleted:,} deleted" if run.deleted else ""))


def _known(each: Estimate) -> str:
    return f"{each.source} ({requests(each.probes)})" if each.probes else each.source


def requests(count: int) -> str:
    """How many: 1 request, 20 requests."""
    return f"{count:,} request{'' if count == 1 else 's'}"


def _state(state: str) -> Text:
    return Text(state, STYLES.get(state, ""))


def _time(moment: datetime | None) -> str:
    return day_and_time(moment.timestamp()) if moment else "-"
