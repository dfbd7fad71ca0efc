"""The tab Schedules: what beat starts, when it runs next and what was missed, as `klaviyo schedules` shows it."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from cli.dashboard.table import (
    Cell,
    Column,
    Reading,
    Tab,
    clock_or_date,
    duration_column,
    minor,
    styled_column,
    text_column,
    time_column,
)
from cli.schedules import STYLES, Row, rows, without_beat
from cli.terminal.times import duration
from schedules.clock import redis_time
from schedules.entries import scheduled_entries
from schedules.entry_runs import load_records
from worker.accounts.lookup import NO_ACCOUNT, READ_AT_START, all_accounts
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings


@asking_redis_once()
def read() -> Reading[Row]:
    """Read every entry of every account, those that missed a run or failed first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    settings = get_settings()
    plan = list(scheduled_entries(settings, all_accounts(settings)))
    found = list(rows(plan, load_records(each.name for each in plan), redis_time()))
    found.sort(key=urgency)
    return Reading(found, list(without_beat()) if found else [])


def urgency(row: Row) -> tuple[bool, bool, str, str]:
    """What missed a run comes first, then what failed."""
    return row.missed is None, row.state != "failed", row.account, row.entry


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _missed(row: Row) -> Cell:
    if row.missed is None:
        return Cell("-")
    return Cell(f"{clock_or_date(row.missed.timestamp())}, {duration(row.late_seconds)} late", "text-warning")


TAB = Tab(
    "Schedules",
    read,
    (
        text_column("Account", lambda row: row.account),
        text_column("Entry", lambda row: row.entry),
        minor(text_column("Crontab", lambda row: row.crontab or "")),
        minor(text_column("Zone", lambda row: row.timezone)),
        styled_column("State", lambda row: Text(row.state, STYLES.get(row.state, ""))),
        time_column("Last run", lambda row: _unix(row.last_run)),
        minor(time_column("Last success", lambda row: _unix(row.last_success))),
        minor(duration_column("Time", lambda row: row.seconds)),
        time_column("Next run", lambda row: _unix(row.next_run)),
        Column("Missed", _missed, lambda row: row.missed),
        text_column("Remarks", lambda row: row.remarks),
    ),
    lambda row: f"{row.account} {row.entry} {row.state} {row.remarks}",
    f"Nothing is scheduled. {NO_ACCOUNT} {READ_AT_START}",
    everywhere=True,
    order=urgency,
)
