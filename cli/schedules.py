"""`klaviyo schedules`: what runs on schedule, when it last ran, and what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from cli.terminal.printing import print_json, say, stdout
from cli.terminal.tables import Listing, facts, listing
from cli.terminal.times import duration
from schedules.clock import redis_time
from schedules.crontab import latest_due
from schedules.entries import ENTRIES, ScheduledEntry, scheduled_entries
from schedules.entry_runs import EntryRecord, due_of, load_records
from worker.accounts.lookup import NO_ACCOUNT, all_accounts
from worker.app import app
from worker.redis.connection import get_redis
from worker.redis.homes import gathered, here
from worker.settings import get_settings

#: How late a run may start before it counts as missed: its message may have to wait for a free thread.
MISSED_AFTER = timedelta(minutes=2)

STYLES = {"running": "green", "failed": "red", "off": "dim", "new": "dim"}


@dataclass(frozen=True, slots=True)
class Row:
    """One entry for one account; ``seconds`` is how long its last run took, or has taken so far."""

    entry: str
    account: str
    crontab: str | None
    timezone: str
    last_run: datetime | None
    last_success: datetime | None
    seconds: float | None
    next_run: datetime | None
    missed: datetime | None
    late_seconds: float | None
    state: str
    remarks: str
    reason: str


def schedules(as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False) -> None:
    """Show what runs on schedule: when it last ran and how that ended, when it runs next, what was missed."""
    found = gathered(_read)
    if as_json:
        print_json([_plain(row) for row in found])
        return
    if not found:
        say(f"Nothing is scheduled. {NO_ACCOUNT}")
        return
    for (alias, zone), group in groupby(found, lambda row: (row.account, row.timezone)):
        stdout().print(Text(f"account {alias}, times in {zone}", "bold"), _table(group), "")
    stdout().print(_reasons())
    for sentence in gathered(without_beat):
        say(sentence, "yellow")


def without_beat() -> Iterator[str]:
    """Say so if beat does not run at the current Redis."""
    if not get_redis().exists(app.conf.redbeat_lock_key):
        where = f" for the Redis {here()}" if get_settings().redis_urls else ""
        start = "run `celery -A worker beat`, or `klaviyo up`"
        yield f"Beat is not running{where}, so none of this starts: {start}."


def _read() -> Iterator[Row]:
    settings = get_settings()
    plan = list(scheduled_entries(settings, all_accounts(settings)))
    return rows(plan, load_records(each.name for each in plan), redis_time())


def rows(plan: Iterable[ScheduledEntry], known: Iterable[EntryRecord], now: datetime) -> Iterator[Row]:
    """Yield a row for each entry."""
    for each, record in zip(plan, known, strict=True):
        missed = _missed(each, record, now)
        state, remarks = _state(each, record, now)
        until = now if state == "running" else record.ended
        yield Row(
            entry=each.entry.name,
            account=each.account,
            crontab=each.crontab.text if each.crontab else None,
            timezone=each.timezone,
            last_run=record.started,
            last_success=record.succeeded,
            seconds=(until - record.started).total_seconds() if until and record.started else None,
            next_run=each.crontab.after(now) if each.crontab else None,
            missed=missed,
            late_seconds=(now - missed).total_seconds() if missed else None,
            state=state,
            remarks=remarks,
            reason=each.entry.reason,
        )


def _missed(each: ScheduledEntry, record: EntryRecord, now: datetime) -> datetime | None:
    """Return the latest due time whose run has neither started nor been skipped."""
    if each.crontab is None or record.since is None:
        return None
    seen = [due_of(run) for run in (record.run, record.skipped) if run]
    return latest_due(each.crontab, max([record.since, *seen]), now - MISSED_AFTER)


def _state(each: ScheduledEntry, record: EntryRecord, now: datetime) -> tuple[str, str]:
    """Return the state of the last run, and what there is to say about it."""
    remarks = record.message
    if record.skipped > record.run:
        remarks = (
            f"the run of {_time(due_of(record.skipped), each.timezone)} was skipped: the previous one was still running"
        )
    if record.state == "running" and record.until and record.until < now:
        return "failed", f"no sign of life by {_time(record.until, each.timezone)}"
    if record.state == "running":
        return "running", remarks
    return ("off" if each.crontab is None else record.state or "new"), remarks


def _plain(row: Row) -> dict[str, Any]:
    return {name: each.isoformat() if isinstance(each, datetime) else each for name, each in asdict(row).items()}


def _table(found: Iterable[Row]) -> Listing:
    shown = listing(
        "entry", "crontab", "last run", "last success", "took>", "next run", "state", "remarks",
        whole=("entry", "crontab", "last run", "last success", "next run", "state"),
        optional=("last success", "crontab"), below=("remarks",),
    )  # fmt: skip
    for row in found:
        missed = f"missed {_time(row.missed, row.timezone)}, {duration(row.late_seconds)} late" if row.missed else ""
        shown.add_row(
            row.entry,
            row.crontab or "-",
            _time(row.last_run, row.timezone),
            _time(row.last_success, row.timezone),
            duration(row.seconds),
            _time(row.next_run, row.timezone),
            Text(row.state, STYLES.get(row.state, "")),
            Text("\n").join(Text(text, style) for text, style in ((missed, "yellow"), (row.remarks, "")) if text),
        )
    return shown


def _reasons() -> Table:
    return facts(*((entry.name, entry.reason) for entry in ENTRIES))


def _time(moment: datetime | None, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%d %b %H:%M") if moment else "-"
