"""The tab Syncs: the last run of each stream of each account, and up to where it has been read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.text import Text

from cli.dashboard.table import (
    Cell,
    Column,
    Reading,
    Tab,
    count_column,
    duration_column,
    styled_column,
    text_column,
    time_column,
)
from cli.sync.view import STYLES, windows_read
from schedules.store.connection import reading
from schedules.store.outage import current_outage
from schedules.stream_status import LatestRun, PullRun, latest_runs
from worker.patience import asking_redis_once

#: The states that come before all others.
URGENCY = {"failed": 0, "running": 1}


@dataclass(frozen=True, slots=True)
class Synced:
    """A stream's latest run, as it stood at ``now``."""

    account: str
    stream: str
    watermark: datetime | None
    run: PullRun
    now: datetime


@asking_redis_once()
def read() -> Reading[Synced]:
    """Read the latest runs from the store, those that failed or go on first.

    Raises:
        redis.RedisError: Redis cannot be asked.
        SettingsError: the store was not created, or is not of this version.
        sqlalchemy.exc.DBAPIError: the store cannot be read.

    """
    outage = current_outage()
    with reading() as connection:
        found = list(latest_runs(connection))
    return Reading(arranged(found, datetime.now(UTC)), [f"{outage}."] if outage else [])


def arranged(found: list[LatestRun], now: datetime) -> list[Synced]:
    """Return the runs as rows, in the order of their urgency."""
    rows = [Synced(each.account, each.stream, each.watermark, each.run, now) for each in found]
    return sorted(rows, key=lambda each: (URGENCY.get(each.run.state, len(URGENCY)), each.account, each.stream))


def remarks(run: PullRun) -> str:
    """Return why a run failed, how far one has come, or what there is to say of it."""
    if run.error:
        return run.error
    if run.state == "running":
        return f"windows {windows_read(run)}"
    return run.note or (f"{run.deleted:,} deleted" if run.deleted else "")


TAB = Tab(
    "Syncs",
    read,
    (
        text_column("Account", lambda each: each.account),
        text_column("Stream", lambda each: each.stream),
        styled_column("State", lambda each: Text(each.run.state, STYLES.get(each.run.state, ""))),
        text_column("Mode", lambda each: each.run.mode),
        time_column("Read up to", lambda each: each.watermark.timestamp() if each.watermark else None),
        count_column("Rows read", lambda each: each.run.rows),
        count_column("Requests", lambda each: each.run.requests),
        time_column("Last run", lambda each: each.run.started.timestamp()),
        duration_column("Time", lambda each: each.run.seconds(each.now)),
        Column(
            "Remarks",
            lambda each: Cell(remarks(each.run) or "-", "text-danger" if each.run.error else ""),
            lambda each: remarks(each.run),
        ),
    ),
    lambda each: f"{each.account} {each.stream} {each.run.state} {each.run.mode} {remarks(each.run)}",
    "No stream has been read yet: `klaviyo sync all` reads every one.",
)
