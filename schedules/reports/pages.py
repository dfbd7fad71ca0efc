"""The figures of campaigns and flows, day by day, into the store: planned, since hardly any requests are allowed.

A night reads its days one after the other, the newest first. Before each it looks at what is left of Klaviyo's day, and
what does not fit is left to the next night.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, select

from schedules.clock import present
from schedules.deferred import register
from schedules.pull import pages as pull
from schedules.pull import requests
from schedules.pull.storing import StoringStep
from schedules.reports.conversion import conversion_metric
from schedules.reports.days import DAYS, affordable, due
from schedules.store import runs, tables
from schedules.store.connection import reading, transaction
from schedules.store.rows import upsert
from schedules.store.runs import Window
from tasks.reporting import MessageStatistic, query_campaign_values, query_flow_values
from worker.accounts import account as account_of
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import next_page, page_items
from worker.api.parameters import Params
from worker.errors import KlaviyoError, Malformed
from worker.governor import get_governor
from worker.place import PREFIX
from worker.settings import get_settings
from worker.tiers import DAY


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is kept: the action that tells it, where its rows go, and what they are grouped by."""

    action: Action[Any]
    table: Table
    groups: tuple[str, ...]

    def params(self, day: date, metric: str) -> Params:
        """What its first page is asked with; Klaviyo reads both times in the account's time zone."""
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
        """One result as a row.

        Raises:
            Malformed: it is none.

        """
        match result:
            case {"groupings": dict(told), "statistics": dict(statistics)}:
                groups = {name: str(told.get(name) or "") for name in self.groups}
            case _:
                raise Malformed(self.action.declaration.name, "a row has no groupings or no statistics")
        return {
            "account": account, "conversion_metric_id": metric, "since": day, "until": day + timedelta(days=1),
            **groups, "statistics": statistics, "synced_at": now,
        }  # fmt: skip


#: By the names of their streams.
REPORTS = {
    "campaign_values": Report(
        query_campaign_values, tables.campaign_values, ("campaign_id", "campaign_message_id", "send_channel")
    ),
    "flow_values": Report(query_flow_values, tables.flow_values, ("flow_id", "flow_message_id", "send_channel")),
}


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """Which page this is: of a day, ISO 8601, for a conversion metric's id. ``request`` asked for the run."""

    request: str
    run: int
    stream: str
    day: str
    metric: str
    page: int = 1

    @property
    def window(self) -> Window:
        """The day as a part of its run."""
        return Window(_partition(date.fromisoformat(self.day), self.metric))


class ReportPage(StoringStep[ReadingReport]):
    """Read one page, write it, and ask for the next one, or for the next day."""

    name = f"{PREFIX}report_page"
    about = ReadingReport

    def read(self, account: str, params: Params, about: ReadingReport) -> None:
        """Publish a page. The same page has the same id: one that is asked for twice at once is read once."""
        pull.remind(account, about.request, about.stream)
        task_id = f"report-{about.run}-{about.day}-{about.page}"
        self.ask(REPORTS[about.stream].action, params, account, about, lane="bulk", task_id=task_id)

    def needed(self, about: ReadingReport) -> bool:
        """Whether this page has not been read, or its reader has not come to ask for the next one."""
        with reading() as connection:
            window = runs.window(connection, about.run, about.window.partition, 0)
        return window is not None and not window["closed"] and window["pages"] <= about.page

    def answered_before(self, account: str, about: ReadingReport) -> None:
        """Go on with the next day where this page was the last of its own."""
        with reading() as connection:
            last = runs.was_last(connection, about.run, about.window.partition, 0, about.page)
        if last:
            go_on(account, about.request, about.run, about.stream, about.metric)

    def answered(self, envelope: Envelope, params: Params, account: str, about: ReadingReport) -> None:
        """Write the page, then go on."""
        report, now, day = REPORTS[about.stream], present(), date.fromisoformat(about.day)
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
            go_on(account, about.request, about.run, about.stream, about.metric)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: ReadingReport) -> None:
        """The run has failed; the days that were read are kept."""
        _end(account, about.request, about.run, about.stream, str(error))
        raise error


page: Any = register(ReportPage())


def begin(account: str, request: str, stream: str) -> None:
    """Begin to read a report, or go on with a run of it that has not ended."""
    pull.remind(account, request, stream)
    now = present()
    with transaction() as connection:
        last = runs.last(connection, account, stream, "pull")
        if last is not None and last["state"] == "running":
            run = last["id"]
        else:
            run = runs.begin(connection, account, stream, "pull", "incremental", now)
    try:
        metric, name = conversion_metric(account)
    except KlaviyoError as error:
        _end(account, request, run, stream, str(error))
        return
    left = left_of_day(account, REPORTS[stream].action)
    with transaction() as connection:
        fits, waits = planned(connection, account, stream, metric, left, now)
        runs.plan(connection, run, [Window(_partition(day, metric)) for day in fits])
        told = {"metric": name, "planned": sum(fits.values()), "left": left, "waits": [f"{day}" for day in waits]}
        runs.note(connection, run, told)
    go_on(account, request, run, stream, metric)


def planned(
    connection: Connection, account: str, stream: str, metric: str, left: int, now: datetime
) -> tuple[dict[date, int], list[date]]:  # fmt: skip
    """The days that a run reads with the requests that are ``left``, with those of each; and the days that wait."""
    today, read_on, pages = _read_before(connection, account, stream, metric, now)
    return affordable(due(today, read_on), pages, left)


def go_on(account: str, request: str, run: int, stream: str, metric: str) -> None:
    """Read the newest day that has not been read, if it still fits; else the run is over."""
    now = present()
    with reading() as connection:
        # Days that were planned for another conversion metric, before the setting changed, are nobody's any more.
        planned = (each["partition"] for each in runs.unread(connection, run))
        unread = [_day(each) for each in planned if each == _partition(_day(each), metric)]
        _, _, pages = _read_before(connection, account, stream, metric, now)
    left = left_of_day(account, REPORTS[stream].action)
    fits, waits = affordable(sorted(unread, reverse=True), pages, left)
    if not fits:
        _end(account, request, run, stream, None, waits)
        return
    day = next(iter(fits))
    about = ReadingReport(request, run, stream, day.isoformat(), metric)
    page.read(account, REPORTS[stream].params(day, metric), about)


def _end(
    account: str, request: str, run: int, stream: str, error: str | None, waits: list[date] | None = None
) -> None:  # fmt: skip
    now = present()
    with transaction() as connection:
        report = dict(runs.run(connection, run)["report"] or {})
        days = sorted({*report.get("waits", ()), *map(str, waits or ())}, reverse=True)
        note = f"{len(days)} days are left to the next night, {days[-1]} to {days[0]}" if days else None
        told = {**report, "waits": days, "note": note} | ({"error": error} if error else {})
        done = runs.end(connection, run, "failed" if error else "done", now, told)
    if done:
        pull.over(account, request, stream, error)


def look_after(which: str) -> None:
    """Take up a report of which nothing has been heard for a while."""
    account, id, stream = which.split("|")
    request = requests.load(id)
    if request is not None and request.streams.get(stream) == "running":
        begin(account, id, stream)
    else:
        pull.forget(account, id, stream)


def left_of_day(account: str, action: Action[Any]) -> int:
    """How many requests of an action Klaviyo still takes within its day, by all that this Redis has seen."""
    line = action.declaration.line(account, {})
    found = {each.line: each for each in get_governor().look()}.get(line.name)
    if found is None:
        return next(each.limit for each in line.buckets[0].limits.windows if each.length == DAY)
    used, limit = next((used, limit) for used, limit, length in found.buckets[0].windows if length == DAY)
    return limit - used


def _read_before(
    connection: Connection, account: str, stream: str, metric: str, now: datetime
) -> tuple[date, dict[date, date], dict[date, int]]:  # fmt: skip
    """Today, when each of the days before it was last read whole, and how many pages it took."""
    zone = ZoneInfo(account_of(get_settings(), account).timezone)
    today = now.astimezone(zone).date()
    w, r = tables.sync_windows.c, tables.sync_runs.c
    days = [_partition(today - timedelta(age), metric) for age in range(1, DAYS + 1)]
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
