"""The tab Syncs: the last run of each stream of each account, and up to where it has been read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.text import Text

from cli.dashboard.table import (
    Cell,
    Column,
    Reading,
    Tab,
    clock_or_date,
    count_column,
    duration_column,
    minor,
    styled_column,
    text_column,
    time_column,
)
from cli.schedules import Row, rows
from cli.sync.view import STYLES, remarks
from schedules.clock import redis_time
from schedules.entries import ScheduledEntry, scheduled_entries
from schedules.entry_runs import load_records
from schedules.store.connection import reading
from schedules.store.outage import current_outage
from schedules.stream_status import LatestRun, PullRun, latest_runs
from worker.redis.homes import ask_each, gathered
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings

#: By account and stream: when it is read next, and which time was missed.
Times = dict[tuple[str, str], tuple[datetime | None, datetime | None]]

#: The states that come before all others.
URGENCY = {"failed": 0, "running": 1}


@dataclass(frozen=True, slots=True)
class SyncRow:
    """A stream's latest run as it stood at ``now``, when beat reads it next, and which due time it has missed."""

    account: str
    stream: str
    watermark: datetime | None
    run: PullRun
    now: datetime
    next_run: datetime | None = None
    missed: datetime | None = None


@asking_redis_once()
def read() -> Reading[SyncRow]:
    """Read the latest runs from the store, those that failed or go on first.

    Raises:
        redis.RedisError: Redis cannot be asked.
        SettingsError: the store was not created, or lacks the tables of this version.
        sqlalchemy.exc.DBAPIError: the store cannot be read.

    """
    outages = dict.fromkeys(f"{each}." for each in gathered(lambda: [current_outage()]) if each)
    with reading() as connection:
        found = list(latest_runs(connection))
    times = {which: when for each in ask_each(_read_times).values() for which, when in each.items()}
    return Reading(arranged(found, datetime.now(UTC), times), [*outages])


def _read_times() -> Times:
    plan = list(scheduled_entries(get_settings()))
    return due_times(plan, rows(plan, load_records(each.name for each in plan), redis_time()))


def due_times(plan: Sequence[ScheduledEntry], known: Iterable[Row]) -> Times:
    """Return when beat next reads each stream of each account, and which time it has missed."""
    times: Times = {}
    for each, row in zip(plan, known, strict=True):
        for stream in each.entry.kwargs.get("streams", ()):
            next_run, missed = times.get((each.account, stream), (None, None))
            upcoming = [moment for moment in (next_run, row.next_run) if moment]
            times[each.account, stream] = (min(upcoming, default=None), missed or row.missed)
    return times


def arranged(found: Iterable[LatestRun], now: datetime, times: Times) -> list[SyncRow]:
    """Return the runs as rows, in the order of their urgency."""
    found_rows = [
        SyncRow(
            each.account, each.stream, each.watermark, each.run, now,
            *times.get((each.account, each.stream.partition(":")[0]), (None, None)),
        )
        for each in found
    ]  # fmt: skip
    return sorted(found_rows, key=_urgency)


def _urgency(each: SyncRow) -> tuple[int, bool, str, str]:
    return URGENCY.get(each.run.state, len(URGENCY)), each.missed is None, each.account, each.stream


def _missed(each: SyncRow) -> Cell:
    return Cell(clock_or_date(each.missed.timestamp()), "text-warning") if each.missed else Cell("-")


TAB = Tab(
    "Syncs",
    read,
    (
        text_column("Account", lambda each: each.account),
        text_column("Stream", lambda each: each.stream),
        styled_column("State", lambda each: Text(each.run.state, STYLES.get(each.run.state, ""))),
        minor(text_column("Mode", lambda each: each.run.mode)),
        time_column("Read up to", lambda each: each.watermark.timestamp() if each.watermark else None),
        count_column("Rows read", lambda each: each.run.rows),
        minor(count_column("Requests", lambda each: each.run.requests)),
        time_column("Last run", lambda each: each.run.started.timestamp()),
        minor(duration_column("Time", lambda each: each.run.seconds(each.now))),
        time_column("Next run", lambda each: each.next_run.timestamp() if each.next_run else None),
        Column("Missed", _missed, lambda each: each.missed),
        Column(
            "Remarks",
            lambda each: Cell(remarks(each.run) or "-", "text-danger" if each.run.error else ""),
            lambda each: remarks(each.run),
        ),
    ),
    lambda each: f"{each.account} {each.stream} {each.run.state} {each.run.mode} {remarks(each.run)}",
    "No stream has been read yet: `klaviyo sync all` reads every one.",
)
