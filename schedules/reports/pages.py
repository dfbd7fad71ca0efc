"""Copying reports into the store, day by day and page by page, with the few requests that Klaviyo allows.

A run reads its days one after the other, the newest first. Before each it checks how many requests are left today; the
days that do not fit are left to the next night.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, select

from schedules import sync_requests
from schedules.clock import current_time
from schedules.deferred import register
from schedules.pull import pages as pull
from schedules.pull.storing import StoringStep
from schedules.reports.conversion import conversion_metric
from schedules.reports.days import HISTORY_DAYS, due_days, fit_days
from schedules.store import runs, tables
from schedules.store.connection import reading, transaction
from schedules.store.rows import upsert
from schedules.store.runs import SyncWindow
from tasks.reporting import MessageStatistic, query_campaign_values, query_flow_values
from worker.account_and_lane import TASK_PREFIX
from worker.accounts.lookup import account as account_of
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import next_page, page_items
from worker.api.parameters import Params
from worker.errors import KlaviyoError, Malformed, reason_to_show
from worker.governor import get_governor
from worker.settings import get_settings
from worker.tiers import DAY_MS


@dataclass(frozen=True, slots=True)
class ReportStream:
    """A report that is copied: the action that returns it, the table for its rows, and what they are grouped by."""

    action: Action[Any]
    table: Table
    groups: tuple[str, ...]

    def params(self, day: date, metric: str) -> Params:
        """Return the parameters of its first page; Klaviyo reads both times in the account's time zone."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return self.action.declaration.bind(
            {
                "statistics": list(get_args(MessageStatistic)),
                "timeframe": {"start": start, "end": start + timedelta(days=1)},
                "conversion_metric_id": metric,
                "group_by": list(self.groups),
            }
        )

    def row(self, result: Any, account: str, day: date, metric: str, now: datetime) -> dict[str, Any]:
        """Return one result as a row.

        Raises:
            Malformed: it is not a result.

        """
        match result:
            case {"groupings": dict(found), "statistics": dict(statistics)}:
                groups = {name: str(found.get(name) or "") for name in self.groups}
            case _:
                raise Malformed(self.action.declaration.name, "a row has no groupings or no statistics")
        return {
            "account": account, "conversion_metric_id": metric, "since": day, "until": day + timedelta(days=1),
            **groups, "statistics": statistics, "synced_at": now,
        }  # fmt: skip


#: The reports by the names of their streams.
REPORTS = {
    "campaign_values": ReportStream(
        query_campaign_values, tables.campaign_values, ("campaign_id", "campaign_message_id", "send_channel")
    ),
    "flow_values": ReportStream(query_flow_values, tables.flow_values, ("flow_id", "flow_message_id", "send_channel")),
}


@dataclass(frozen=True, slots=True)
class ReportPageRef:
    """Which page this is: of a day (ISO 8601) and a conversion metric's id. ``request``: the sync that asked for it."""

    request: str
    run: int
    stream: str
    day: str
    metric: str
    page: int = 1

    @property
    def window(self) -> SyncWindow:
        """Return the day as a part of its run."""
        return SyncWindow(_partition(date.fromisoformat(self.day), self.metric))


class ReportPage(StoringStep[ReportPageRef]):
    """Read one page, write it, and request the next page or the next day."""

    name = f"{TASK_PREFIX}report_page"
    about = ReportPageRef

    def read(self, account: str, params: Params, about: ReportPageRef) -> None:
        """Publish a page. The same page has the same task id: if it is published twice, it is read once."""
        pull.renew_reminder(account, about.request, about.stream)
        task_id = f"report-{about.run}-{about.day}-{about.page}"
        self.ask(REPORTS[about.stream].action, params, account, about, lane="bulk", task_id=task_id)

    def needed(self, about: ReportPageRef) -> bool:
        """Return True if this page has not been read, or its reader may not have requested the next one."""
        with reading() as connection:
            window = runs.get_window(connection, about.run, about.window.partition, 0)
        return window is not None and not window["closed"] and window["pages"] <= about.page

    def answered_before(self, account: str, about: ReportPageRef) -> None:
        """Go on with the next day if this page was the last of its day; make sure that Redis knows of the run's end."""
        with reading() as connection:
            last = runs.was_last_page(connection, about.run, about.window.partition, 0, about.page)
            is_over = runs.is_over(connection, about.run)
        if last:
            read_next_day(account, about.request, about.run, about.stream, about.metric)
        elif is_over:
            pull.resume_soon(account, about.request, about.stream)

    def answered(self, envelope: Envelope, params: Params, account: str, about: ReportPageRef) -> None:
        """Write the page, then go on."""
        report, now, day = REPORTS[about.stream], current_time(), date.fromisoformat(about.day)
        following = next_page(report.action.declaration, params, envelope)
        results = page_items(envelope)
        with transaction() as connection:
            closed = None if following else now
            if runs.count_page(connection, about.run, about.window, about.page, len(results), closed):
                rows = [report.row(each, account, day, about.metric, now) for each in results]
                upsert(connection, report.table, rows)
        if following:
            self.read(account, following, replace(about, page=about.page + 1))
        else:
            read_next_day(account, about.request, about.run, about.stream, about.metric)

    def give_up(self, error: Exception, account: str, about: ReportPageRef) -> None:
        """Fail the run; the days that were read are kept."""
        _end_run(account, about.request, about.run, about.stream, reason_to_show(error))


page: Any = register(ReportPage())


def start_run(account: str, request: str, stream: str) -> None:
    """Start a run of a report, or continue one that has not ended."""
    pull.renew_reminder(account, request, stream)
    now = current_time()
    with transaction() as connection:
        last = runs.latest(connection, account, stream, "pull")
        if last is not None and last["state"] == "running":
            run = last["id"]
        else:
            run = runs.create(connection, account, stream, "pull", "incremental", now)
    try:
        metric, name = conversion_metric(account)
    except KlaviyoError as error:
        _end_run(account, request, run, stream, str(error))
        return
    left = requests_left_today(account, REPORTS[stream].action)
    with transaction() as connection:
        fits, waits = plan_days(connection, account, stream, metric, left, now)
        runs.add_windows(connection, run, [SyncWindow(_partition(day, metric)) for day in fits])
        report = {"metric": name, "planned": sum(fits.values()), "left": left, "waits": [f"{day}" for day in waits]}
        runs.set_report(connection, run, report)
    read_next_day(account, request, run, stream, metric)


def plan_days(
    connection: Connection, account: str, stream: str, metric: str, left: int, now: datetime
) -> tuple[dict[date, int], list[date]]:  # fmt: skip
    """Return the days that a run reads with the requests that are ``left``, with those of each, and the other days."""
    today, read_on, pages = _read_before(connection, account, stream, metric, now)
    return fit_days(due_days(today, read_on), pages, left)


def read_next_day(account: str, request: str, run: int, stream: str, metric: str) -> None:
    """Read the newest unread day if it still fits; otherwise end the run."""
    now = current_time()
    with reading() as connection:
        # Days that were planned for another conversion metric, before the setting changed, are dropped.
        planned = (each["partition"] for each in runs.open_windows(connection, run))
        unread = [_day(each) for each in planned if each == _partition(_day(each), metric)]
        _, _, pages = _read_before(connection, account, stream, metric, now)
    left = requests_left_today(account, REPORTS[stream].action)
    fits, waits = fit_days(sorted(unread, reverse=True), pages, left)
    if not fits:
        _end_run(account, request, run, stream, None, waits)
        return
    day = next(iter(fits))
    about = ReportPageRef(request, run, stream, day.isoformat(), metric)
    page.read(account, REPORTS[stream].params(day, metric), about)


def _end_run(
    account: str, request: str, run: int, stream: str, error: str | None, waits: list[date] | None = None
) -> None:  # fmt: skip
    now = current_time()
    with transaction() as connection:
        report = dict(runs.get(connection, run)["report"] or {})
        days = sorted({*report.get("waits", ()), *map(str, waits or ())}, reverse=True)
        note = f"{len(days)} days are left to the next night, {days[-1]} to {days[0]}" if days else None
        ended = {**report, "waits": days, "note": note} | ({"error": error} if error else {})
        done = runs.end(connection, run, "failed" if error else "done", now, ended)
    if done:
        pull.end_stream(account, request, stream, error)


def resume(which: str) -> None:
    """Resume a report from which nothing has been heard for a while."""
    account, id, stream = which.split("|")
    request = sync_requests.load(id)
    if request is not None and request.streams.get(stream) == "running":
        start_run(account, id, stream)
    else:
        # The process that ended it may have died before it passed that on.
        pull.pass_on_end(account, id, stream)


def requests_left_today(account: str, action: Action[Any]) -> int:
    """Return how many requests of an action Klaviyo still takes today, as far as this Redis knows."""
    line = action.declaration.line(account, {})
    looks = get_governor().look([line.name])
    if not looks:
        return next(each.limit for each in line.buckets[0].limits.windows if each.length_ms == DAY_MS)
    used, limit = next((used, limit) for used, limit, length in looks[0].buckets[0].windows if length == DAY_MS)
    return limit - used


def _read_before(
    connection: Connection, account: str, stream: str, metric: str, now: datetime
) -> tuple[date, dict[date, date], dict[date, int]]:  # fmt: skip
    """Return today, when each of the days before it was last read whole, and how many pages each took."""
    zone = ZoneInfo(account_of(get_settings(), account).timezone)
    today = now.astimezone(zone).date()
    w, r = tables.sync_windows.c, tables.sync_runs.c
    days = [_partition(today - timedelta(age), metric) for age in range(1, HISTORY_DAYS + 1)]
    chosen = (
        select(w.partition, w.closed, w.pages)
        .join(tables.sync_runs, r.id == w.run)
        .where(r.account == account, r.stream == stream, w.closed.is_not(None), w.partition.in_(days))
        .order_by(w.closed)
    )
    found = [(_day(row.partition), row.closed.astimezone(zone).date(), row.pages) for row in connection.execute(chosen)]
    return today, {day: read for day, read, _ in found}, {day: pages for day, _, pages in found}


def _partition(day: date, metric: str) -> str:
    return f"day={day},metric={metric}"


def _day(partition: str) -> date:
    return date.fromisoformat(partition.removeprefix("day=").partition(",")[0])
