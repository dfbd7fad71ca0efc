"""Copying a stream of Klaviyo's into the store, page by page, each page a task and a transaction.

A run reads windows: the partitions of a stream, and slices of its time. A window is cut in two as long as fewer are
read at once than the account's budget could keep busy, so that not the latency of one cursor but the budget sets the
pace. The watermark moves when all windows of a run have been read whole, to the moment at which the run began: what is
dated later, or comes late, is read by the next one. Any page may be delivered twice, and any worker may die.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from sqlalchemy import RowMapping, select

from schedules import guard
from schedules.clock import present
from schedules.deferred import register
from schedules.pull import requests
from schedules.pull.resources import moment
from schedules.pull.slices import chains, middle
from schedules.pull.storing import StoringStep
from schedules.pull.stream import Partition, Stream, TimeField
from schedules.pull.streams import STREAMS, rows
from schedules.store import runs
from schedules.store.connection import reading, tidy, transaction
from schedules.store.rows import mark_deleted, spare, upsert
from schedules.store.runs import Window
from worker import reminders
from worker.api.jsonapi import Envelope
from worker.api.paging import listed, next_page
from worker.api.parameters import Params
from worker.errors import BadRequest, KlaviyoError, NotFound
from worker.place import PREFIX

Mode = Literal["incremental", "full"]

#: Seconds before the present at which a run's windows end: Klaviyo's clock may be behind ours, and refuses the future.
BEHIND = timedelta(seconds=2)

#: Seconds after which a run that has written no page is looked after.
STILL = 600.0

#: Seconds without a sign of life after which a scheduled run counts as dead, and the next one may begin.
SILENT = 3 * STILL

#: For how long it is remembered which windows a run has read.
KEPT = timedelta(days=30)

#: How often a window may begin anew because its cursor has expired.
RESTARTS = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """Which page this is. Times are ISO 8601; ``since`` and ``until`` are those of the filter that is being paged.

    ``reached`` is the time of the last row so far, ``request`` the sync that asked for the run.
    """

    request: str
    run: int
    stream: str
    mode: Mode
    partition: str
    slice: int
    page: int = 1
    since: str | None = None
    until: str | None = None
    reached: str | None = None
    restarts: int = 0


class Page(StoringStep[Reading]):
    """Read one page, write it, and ask for the next one."""

    name = f"{PREFIX}sync_page"
    about = Reading

    def begin(
        self, account: str, request: str, run: int, stream: Stream, mode: Mode, window: Window, pages: int = 0
    ) -> None:  # fmt: skip
        """Publish the first page of a window, of which so many ``pages`` have been read before: they are read again."""
        reading_ = Reading(
            request, run, stream.name, mode, window.partition, window.slice, pages + 1,
            since=_iso(window.since), until=_iso(window.until),
        )  # fmt: skip
        self._first(account, stream, reading_)

    def _first(self, account: str, stream: Stream, about: Reading) -> None:
        assert stream.action is not None
        partition, by = partition_of(stream, about.partition), time_of(stream, about.mode)
        given = stream.request(partition, by, _time(about.since), _time(about.until))
        self._read(account, stream, stream.action.declaration.bind(given), about)

    def _read(self, account: str, stream: Stream, params: Params, about: Reading) -> None:
        # The same page has the same id: one that is asked for twice at once is read once.
        page = f"{about.page}.{about.restarts}" if about.restarts else about.page
        # A partition may be named after a record, and those are called what their owner likes.
        part = quote(about.partition or "all", safe="=:,$@+")
        task_id = f"sync-{about.run}-{part}-{about.slice}-{page}"
        self.ask(stream.action, params, account, about, lane="bulk", task_id=task_id)  # type: ignore[arg-type]

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Read the page, and remember when that began."""
        self.request.update(began=time.monotonic())
        super().run(action=action, params=params, **about)

    def needed(self, about: Reading) -> bool:
        """Whether this page has not been read, or its reader has not come to ask for the next one."""
        with reading() as connection:
            window = runs.window(connection, about.run, about.partition, about.slice)
        return window is not None and not window["closed"] and window["pages"] <= about.page

    def answered_before(self, account: str, about: Reading) -> None:
        """End the run where this page was its last."""
        with reading() as connection:
            last = runs.was_last(connection, about.run, about.partition, about.slice, about.page)
        if last:
            finish(account, about)

    def answered(self, envelope: Envelope, params: Params, account: str, about: Reading) -> None:
        """Write the page and what it says about its window in one step, then go on."""
        stream, moment = STREAMS[about.stream], present()
        seconds = time.monotonic() - self.request.get("began")
        assert stream.action is not None
        resources = listed(stream.action.declaration, envelope)
        following = next_page(stream.action.declaration, params, envelope)
        by = time_of(stream, about.mode)
        times = [at for each in resources if by and (at := _of(each, by))]
        reached = max(times, default=None)
        with transaction() as connection:
            window = runs.window(connection, about.run, about.partition, about.slice)
            if window is None or window["closed"] or window["pages"] > about.page:
                return
            kept, fresh, unbegun = _window(window), None, list[RowMapping]()
            if window["pages"] == about.page:
                # Whoever had this page before may have died before it began what it had split off.
                unbegun = [each for each in runs.unread(connection, about.run) if not each["pages"]]
            elif following and by and stream.sliced and reached and few(connection, about.run, stream, seconds):
                fresh = _cut(kept, min(times), reached, moment)
                if fresh and not runs.split(connection, about.run, kept, fresh.since or moment, fresh):
                    fresh = None
            until = fresh.since if fresh else kept.until
            over = following is None or bool(by and reached and until and reached >= until)
            count, closed = len(resources), moment if over else None
            if runs.count_page(connection, about.run, kept, about.page, count, closed):
                scan = about.run if about.mode == "full" else None
                partition = partition_of(stream, about.partition)
                for table, found in rows(stream, envelope, partition, account, moment, scan).items():
                    upsert(connection, table, found)
        begun = [fresh] if fresh else [_window(each) for each in _next(stream, unbegun)]
        self._go_on(account, stream, about, following if not over else None, reached, begun)

    def _go_on(
        self, account: str, stream: Stream, about: Reading, following: Params | None, reached: datetime | None,
        begun: Iterable[Window],
    ) -> None:  # fmt: skip
        for each in begun:
            self.begin(account, about.request, about.run, stream, about.mode, each)
        if following:
            further = replace(about, page=about.page + 1, reached=_iso(reached) or about.reached)
            self._read(account, stream, following, further)
            remind(account, about.request, about.stream)
        else:
            finish(account, about)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: Reading) -> None:
        """Begin a window anew whose cursor has expired; a list that is gone is empty; else the run has failed."""
        stream = STREAMS[about.stream]
        if isinstance(error, BadRequest) and params.get("page_cursor") and about.restarts < RESTARTS:
            # What comes out of order may stand behind what was reached.
            since = about.reached or about.since if stream.sliced else about.since
            anew = replace(about, restarts=about.restarts + 1, since=since)
            self._first(account, stream, anew)
        elif isinstance(error, NotFound) and stream.parent:
            # Gone, or one of Klaviyo's bad hours: what is known of it stays until a full scan misses the parent itself.
            values = partition_of(stream, about.partition).values
            with transaction() as connection:
                if window := runs.window(connection, about.run, about.partition, about.slice):
                    spare(connection, stream.table, account, about.run, **values)
                    runs.count_page(connection, about.run, _window(window), about.page, 0, present())
            finish(account, about)
        else:
            fail(account, about, error)
            raise error


page: Any = register(Page())


# The life of a run.


def begin(account: str, request: str, name: str, mode: Mode, since: datetime | None = None) -> None:
    """Begin to read a stream, or go on with a run of it that has not ended."""
    stream, now = STREAMS[name], present()
    remind(account, request, name)
    with transaction() as connection:
        last = runs.last(connection, account, name, "pull")
        if last is not None and last["state"] == "running":
            run, this = last["id"], last["mode"]
            if mode == "full" and this != "full":
                # Not what was asked for: its turn comes when somebody looks after it.
                return
        else:
            this = mode if stream.time else "full"
            run = runs.begin(connection, account, name, "pull", this, now)
            runs.plan(connection, run, planned(connection, account, stream, this, now - BEHIND, since))
        windows = _next(stream, runs.unread(connection, run))
    for each in windows:
        page.begin(account, request, run, stream, this, _window(each), each["pages"])
    if not windows:
        finish(account, Reading(request, run, name, this, "", 0))


def planned(
    connection: Any, account: str, stream: Stream, mode: Mode, until: datetime, since: datetime | None = None
) -> Iterable[Window]:
    """The windows that a run begins with."""
    by = time_of(stream, mode)
    for partition in partitions(connection, account, stream):
        start = since if mode == "incremental" else None
        if mode == "incremental" and by and start is None:
            start = runs.watermark(connection, account, stream.name, partition.name)
            start = start - by.look_back if start else None
        # A full scan has no end: it takes what is dated into the future, too.
        yield Window(partition.name, 0, start, until if mode == "incremental" and by else None)


def partitions(connection: Any, account: str, stream: Stream) -> list[Partition]:
    """The partitions of a stream: its own, or one for each row of its parent's table."""
    if stream.parent is None:
        return list(stream.partitions)
    table = STREAMS[stream.parent.stream].table
    chosen = select(table.c.id).where(table.c.account == account, table.c.deleted_at.is_(None)).order_by(table.c.id)
    for column, skipped in stream.parent.skip.items():
        chosen = chosen.where(table.c[column].is_(None) | table.c[column].not_in(skipped))
    return [stream.parent.partition(id) for id in connection.execute(chosen).scalars()]


def finish(account: str, about: Reading) -> None:
    """End a run whose windows have all been read whole: what a full scan has not seen is gone, the watermark moves."""
    stream, now = STREAMS[about.stream], present()
    with reading() as connection:
        goes_on = runs.goes_on(connection, about.run)
        further = _next(stream, runs.unread(connection, about.run)) if goes_on and stream.in_turn else []
    if goes_on:
        remind(account, about.request, about.stream)
        for each in further:
            page.begin(account, about.request, about.run, stream, about.mode, _window(each), each["pages"])
        return
    with transaction() as connection:
        began = runs.run(connection, about.run)["started"]
        gone = 0
        if about.mode == "full" and stream.deletes:
            for table in tables_of(stream):
                gone += mark_deleted(connection, table, account, about.run, began)
        for partition in partitions(connection, account, stream) if stream.time else ():
            name = partition.name
            start, before = (
                runs.read_from(connection, about.run, name), runs.watermark(connection, account, stream.name, name)
            )  # fmt: skip
            # What was read from a later time on leaves a gap, which the next run has to read.
            if start is None or (before is not None and start <= before):
                runs.advance(connection, account, stream.name, name, began - BEHIND)
        done = runs.end(connection, about.run, "done", now, {"deleted": gone})
        runs.prune(connection, account, stream.name, now - KEPT)
    if done:
        tidy()
        over(account, about.request, about.stream, None)


def fail(account: str, about: Reading, error: KlaviyoError) -> None:
    """End a run that cannot be read whole: the watermark stays, and the next run reads all of it."""
    with transaction() as connection:
        done = runs.end(connection, about.run, "failed", present(), {"error": str(error)})
    if done:
        over(account, about.request, about.stream, str(error))


def over(account: str, request: str, stream: str, error: str | None) -> None:
    """A stream of a request has been read whole, or has failed."""
    requests.ended(account, request, stream, error)
    forget(account, request, stream)


def forget(account: str, request: str, stream: str) -> None:
    """Nobody has to look after it any more."""
    reminders.remind(_reminder(account, request, stream), None)


def look_after(which: str) -> None:
    """Take up a stream of which nothing has been heard for a while."""
    account, id, name = which.split("|")
    request = requests.load(id)
    if request is None or request.streams.get(name) != "running":
        forget(account, id, name)
        return
    with reading() as connection:
        last = runs.last(connection, account, name, "pull")
    if last is not None and last["state"] != "running" and last["started"].timestamp() >= request.asked:
        over(account, id, name, (last["report"] or {}).get("error"))
    else:
        begin(account, id, name, "full" if request.mode == "full" else "incremental", _time(request.since))


def remind(account: str, request: str, stream: str) -> None:
    """Somebody has to look after the run if no page of it is written for a while; until then it is alive."""
    reminders.remind(_reminder(account, request, stream), STILL)
    if requests.scheduled(request):
        guard.renew(request, SILENT)


def _reminder(account: str, request: str, stream: str) -> str:
    return f"sync|{account}|{request}|{stream}"


# Windows, partitions and times.


def time_of(stream: Stream, mode: Mode) -> TimeField | None:
    """The field by which a run reads: what has changed since, or, of everything, when it came to be."""
    return stream.time if mode == "incremental" else stream.born


def partition_of(stream: Stream, name: str) -> Partition:
    """The partition of this name."""
    if stream.parent is not None:
        return stream.parent.partition(name.partition("=")[2])
    return next(each for each in stream.partitions if each.name == name)


def tables_of(stream: Stream) -> list[Any]:
    """The tables that a run of a stream writes: its own, and those of streams that come with it."""
    with_it = [each.table for each in STREAMS.values() if each.parent and each.parent.stream == stream.name
               and each.parent.include]  # fmt: skip
    return [stream.table, *with_it]


def few(connection: Any, run: int, stream: Stream, seconds: float) -> bool:
    """Whether fewer windows are being read than the budget could keep busy, at so many seconds an answer."""
    assert stream.action is not None
    return runs.left(connection, run) < chains(stream.action.declaration.limits.steady, seconds)


def _cut(window: Window, first: datetime, reached: datetime, now: datetime) -> Window | None:
    cut = middle(first, reached, window.until or now)
    return Window(window.partition, uuid4().int % 2**31, cut, window.until) if cut else None


def _of(resource: Mapping[str, Any], by: TimeField) -> datetime | None:
    found: datetime | None = moment(by.name)(resource)
    return found


def _next(stream: Stream, unread: list[RowMapping]) -> list[RowMapping]:
    """Of the windows that have not been read those that can be: all, or the first partition's."""
    return [each for each in unread if not stream.in_turn or each["partition"] == unread[0]["partition"]]


def _window(row: RowMapping) -> Window:
    return Window(row["partition"], row["slice"], row["since"], row["until"])


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
