"""Copying one of Klaviyo's streams into the store, page by page; each page is a task and a transaction.

A run reads windows: the partitions of a stream, and slices of its time. While fewer windows are being read than the
account's budget could keep busy, a window is cut in two, so that the budget sets the pace and not the latency of one
cursor. Once all windows of a run have been read whole, the watermark moves to the time at which the run began: what is
dated later, or arrives late, is read by the next run. Any page may be delivered twice, and any worker may die.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sqlalchemy import RowMapping, select

from schedules import entry_runs, sync_requests
from schedules.clock import current_time
from schedules.deferred import register
from schedules.pull.definition import Partition, Stream
from schedules.pull.page_rows import rows_by_table
from schedules.pull.resources import moment
from schedules.pull.slices import midpoint, parallel_windows
from schedules.pull.storing import StoringStep
from schedules.pull.streams import STREAMS
from schedules.pull.watermark import CLOCK_MARGIN, TimeField, may_advance, run_start
from schedules.store import runs
from schedules.store.connection import checkpoint_wal, reading, transaction
from schedules.store.rows import mark_deleted, mark_seen, upsert
from schedules.store.runs import Mode, SyncWindow
from schedules.sync_requests import SyncRequest
from worker import reminders
from worker.account_and_lane import TASK_PREFIX
from worker.api.jsonapi import Envelope
from worker.api.paging import listed, next_page
from worker.api.parameters import Params
from worker.errors import BadRequest, KlaviyoError, NotFound, reason_to_show

#: Time after which a run that has written no page is resumed.
STALLED_AFTER_S = 600.0

#: How long the windows of an ended run are kept.
WINDOW_RETENTION = timedelta(days=30)

#: How often a window may be restarted because its cursor has expired.
MAX_RESTARTS = 10


@dataclass(frozen=True, slots=True)
class PageRef:
    """Which page this is. Times are ISO 8601; ``since`` and ``until`` are those of the filter that is being paged.

    ``reached`` is the time of the last row so far, ``request`` the id of the sync that asked for the run.
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


class PullPage(StoringStep[PageRef]):
    """Read one page, write it, and request the next one."""

    name = f"{TASK_PREFIX}sync_page"
    about = PageRef

    def ask_first(
        self, account: str, request: str, run: int, stream: Stream, mode: Mode, window: SyncWindow, pages: int = 0
    ) -> None:  # fmt: skip
        """Publish the first page of a window; any ``pages`` of it that were read before are read again."""
        first = PageRef(
            request, run, stream.name, mode, window.partition, window.slice, pages + 1,
            since=_iso(window.since), until=_iso(window.until),
        )  # fmt: skip
        self._ask_window(account, stream, first)

    def _ask_window(self, account: str, stream: Stream, about: PageRef) -> None:
        assert stream.action is not None
        partition, by = find_partition(stream, about.partition), time_field(stream, about.mode)
        given = stream.request(partition, by, parse_time(about.since), parse_time(about.until))
        self._ask_page(account, stream, stream.action.declaration.bind(given), about)

    def _ask_page(self, account: str, stream: Stream, params: Params, about: PageRef) -> None:
        # The same page has the same task id: if it is requested twice at the same time, it is read once.
        page = f"{about.page}.{about.restarts}" if about.restarts else about.page
        # A partition may be named after a record, and the owner of a record may call it anything.
        part = quote(about.partition or "all", safe="=:,$@+")
        task_id = f"sync-{about.run}-{part}-{about.slice}-{page}"
        self.ask(stream.action, params, account, about, lane="bulk", task_id=task_id)  # type: ignore[arg-type]

    def run(self, *, action: str, params: Params, **about: Any) -> None:
        """Read the page, and note when that began."""
        self.request.update(began=time.monotonic())
        super().run(action=action, params=params, **about)

    def needed(self, about: PageRef) -> bool:
        """Return True if this page has not been read, or its reader may not have requested the next one.

        None of a run that has failed is: the next run reads it all.
        """
        with reading() as connection:
            window = runs.get_window(connection, about.run, about.partition, about.slice)
            if window is None or window["closed"] or window["pages"] > about.page:
                return False
            return not runs.is_over(connection, about.run)

    def answered_before(self, account: str, about: PageRef) -> None:
        """End the run if this page was its last; if it is over, make sure that Redis knows it."""
        with reading() as connection:
            last = runs.was_last_page(connection, about.run, about.partition, about.slice, about.page)
            is_over = runs.is_over(connection, about.run)
        if last:
            finish_if_complete(account, about)
        elif is_over:
            resume_soon(account, about.request, about.stream)

    def answered(self, envelope: Envelope, params: Params, account: str, about: PageRef) -> None:
        """Write the page and the progress of its window in one transaction, then go on."""
        stream, now = STREAMS[about.stream], current_time()
        seconds = time.monotonic() - self.request.get("began")
        assert stream.action is not None
        resources = listed(stream.action.declaration, envelope)
        following = next_page(stream.action.declaration, params, envelope)
        times = _times_of(resources, time_field(stream, about.mode))
        reached = times[-1] if times else None
        with transaction() as connection:
            progress = runs.get_window(connection, about.run, about.partition, about.slice)
            if progress is None or progress["closed"] or progress["pages"] > about.page:
                return
            window, begun = _as_window(progress), list[SyncWindow]()
            if progress["pages"] == about.page:
                # Whoever wrote this page may have died before it started the windows that it had cut off.
                begun = _unbegun_windows(connection, about.run, stream)
            elif following and times and stream.sliced and has_spare_budget(connection, about.run, stream, seconds):
                window, begun = _cut_window(connection, about.run, window, times, now)
            if reached and window.until and reached >= window.until:
                following = None  # the rest belongs to another window, or to the next run
            if runs.count_page(connection, about.run, window, about.page, len(resources), None if following else now):
                scan = about.run if about.mode == "full" else None
                partition = find_partition(stream, about.partition)
                for table, rows in rows_by_table(stream, envelope, partition, account, now, scan).items():
                    upsert(connection, table, rows)
        self._go_on(account, stream, about, following, reached, begun)

    def _go_on(
        self, account: str, stream: Stream, about: PageRef, following: Params | None, reached: datetime | None,
        begun: Iterable[SyncWindow],
    ) -> None:  # fmt: skip
        for each in begun:
            self.ask_first(account, about.request, about.run, stream, about.mode, each)
        if following:
            further = replace(about, page=about.page + 1, reached=_iso(reached) or about.reached)
            self._ask_page(account, stream, following, further)
            renew_reminder(account, about.request, about.stream)
        else:
            finish_if_complete(account, about)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: PageRef) -> None:
        """Restart a window whose cursor has expired; take a list that is gone for empty; give up otherwise."""
        stream = STREAMS[about.stream]
        if isinstance(error, BadRequest) and params.get("page_cursor") and about.restarts < MAX_RESTARTS:
            # Rows that come out of order may lie before the last one.
            since = about.reached or about.since if stream.sliced else about.since
            anew = replace(about, restarts=about.restarts + 1, since=since)
            self._ask_window(account, stream, anew)
        elif isinstance(error, NotFound) and stream.parent:
            # Gone, or one of Klaviyo's bad hours: its rows stay until a full scan finds the parent itself missing.
            values = find_partition(stream, about.partition).values
            with transaction() as connection:
                if window := runs.get_window(connection, about.run, about.partition, about.slice):
                    mark_seen(connection, stream.table, account, about.run, **values)
                    runs.count_page(connection, about.run, _as_window(window), about.page, 0, current_time())
            finish_if_complete(account, about)
        else:
            raise error

    def give_up(self, error: Exception, account: str, about: PageRef) -> None:
        """End the run, which cannot be read whole: the watermark stays, and the next run starts from there."""
        reason = reason_to_show(error)
        with transaction() as connection:
            done = runs.end(connection, about.run, "failed", current_time(), {"error": reason})
        if done:
            _end_request(account, about, reason)


page: Any = register(PullPage())


# The life of a run.


def start_run(account: str, request: str, name: str, mode: Mode, since: datetime | None = None) -> None:
    """Start a run of a stream, or continue one that has not ended if it reads all that is requested."""
    stream, now = STREAMS[name], current_time()
    renew_reminder(account, request, name)
    with transaction() as connection:
        last = runs.latest(connection, account, name, "pull")
        if last is not None and last["state"] == "running":
            if not reads_all_requested(connection, account, stream, last, mode, since):
                # The request's own run starts after this one, when the reminder is due.
                return
            run, this = last["id"], last["mode"]
        else:
            this = mode if stream.time else "full"
            run = runs.create(connection, account, name, "pull", this, now)
            runs.add_windows(
                connection, run, initial_windows(connection, account, stream, this, now - CLOCK_MARGIN, since)
            )
    continue_run(account, request, name, run, this)


def continue_run(account: str, request: str, name: str, run: int, mode: Mode) -> None:
    """Request the pages that a run reads next, or end it if there are none."""
    stream = STREAMS[name]
    with reading() as connection:
        windows = _readable(stream, runs.open_windows(connection, run))
    for each in windows:
        page.ask_first(account, request, run, stream, mode, _as_window(each), each["pages"])
    if not windows:
        finish_if_complete(account, PageRef(request, run, name, mode, "", 0))


def reads_all_requested(
    connection: Any, account: str, stream: Stream, run: RowMapping, mode: Mode, since: datetime | None
) -> bool:
    """Return True if a run's mode is enough for a request, and its windows begin early enough."""
    if "full" in (mode, run["mode"]):
        return bool(run["mode"] == "full")
    starts = runs.window_starts(connection, run["id"])
    for window in initial_windows(connection, account, stream, mode, run["started"], since):
        start = starts.get(window.partition)
        if start is not None and (window.since is None or start > window.since):
            return False
    return True


def initial_windows(
    connection: Any, account: str, stream: Stream, mode: Mode, until: datetime, since: datetime | None = None
) -> Iterable[SyncWindow]:
    """Yield the windows that a run starts with."""
    by = time_field(stream, mode)
    for partition in partitions(connection, account, stream):
        if mode == "incremental" and by:
            watermark = runs.get_watermark(connection, account, stream.name, partition.name)
            yield SyncWindow(partition.name, 0, run_start(by, watermark, since), until)
        else:
            # A full scan has no upper bound: it includes rows that are dated in the future.
            yield SyncWindow(partition.name, 0, None, None)


def partitions(connection: Any, account: str, stream: Stream) -> list[Partition]:
    """Return the partitions of a stream: its own, or one for each row of its parent's table."""
    if stream.parent is None:
        return list(stream.partitions)
    table = STREAMS[stream.parent.stream].table
    chosen = select(table.c.id).where(table.c.account == account, table.c.deleted_at.is_(None)).order_by(table.c.id)
    for column, skipped in stream.parent.skip.items():
        chosen = chosen.where(table.c[column].is_(None) | table.c[column].not_in(skipped))
    return [stream.parent.partition(id) for id in connection.execute(chosen).scalars()]


def finish_if_complete(account: str, about: PageRef) -> None:
    """End a run if all its windows have been read whole: mark what a full scan has not seen, move the watermark."""
    stream, now = STREAMS[about.stream], current_time()
    with reading() as connection:
        goes_on = runs.has_open_windows(connection, about.run)
        further = _readable(stream, runs.open_windows(connection, about.run)) if goes_on and stream.in_turn else []
    if goes_on:
        renew_reminder(account, about.request, about.stream)
        for each in further:
            page.ask_first(account, about.request, about.run, stream, about.mode, _as_window(each), each["pages"])
        return
    with transaction() as connection:
        began = runs.get(connection, about.run)["started"]
        gone = 0
        if about.mode == "full" and stream.deletes:
            for table in written_tables(stream):
                gone += mark_deleted(connection, table, account, about.run, began)
        starts = runs.window_starts(connection, about.run) if stream.time else {}
        for partition, start in starts.items():
            if may_advance(start, runs.get_watermark(connection, account, stream.name, partition)):
                runs.advance_watermark(connection, account, stream.name, partition, began - CLOCK_MARGIN)
        done = runs.end(connection, about.run, "done", now, {"deleted": gone})
        runs.prune_windows(connection, account, stream.name, now - WINDOW_RETENTION)
    if done:
        checkpoint_wal()
        _end_request(account, about, None)


def _end_request(account: str, about: PageRef, error: str | None) -> None:
    request = sync_requests.load(about.request)
    with reading() as connection:
        run = runs.get(connection, about.run)
        is_enough = request is None or _is_enough(connection, account, about.stream, run, request)
    if is_enough:
        end_stream(account, about.request, about.stream, error)
    else:
        # It has only finished another request's run, and may now start its own.
        resume_soon(account, about.request, about.stream)


def _is_enough(connection: Any, account: str, stream: str, run: RowMapping, request: SyncRequest) -> bool:
    since = parse_time(request.since)
    return reads_all_requested(connection, account, STREAMS[stream], run, mode_of(request), since)


def mode_of(request: SyncRequest) -> Mode:
    """Return the mode of the runs that answer a request."""
    return "full" if request.mode == "full" else "incremental"


def end_stream(account: str, request: str, stream: str, error: str | None) -> None:
    """Record that a stream of a request has been read whole, or has failed, and pass that on."""
    sync_requests.set_state(request, stream, error or "done")
    pass_on_end(account, request, stream)


def pass_on_end(account: str, request: str, stream: str) -> None:
    """Have the streams started that wait for one that has ended; then its reminder is no longer needed."""
    sync_requests.start_streams(request)
    reminders.remind(_reminder(account, request, stream), None)


def resume(which: str) -> None:
    """Resume a stream from which nothing has been heard for a while."""
    account, id, name = which.split("|")
    request = sync_requests.load(id)
    if request is None or request.streams.get(name) != "running":
        # The process that ended it may have died before it passed that on.
        pass_on_end(account, id, name)
        return
    with reading() as connection:
        last = runs.latest(connection, account, name, "pull")
        is_enough = last is not None and _is_enough(connection, account, name, last, request)
    if last is not None and last["state"] == "running" and not is_enough:
        # The request that this run was started for may be gone, and then nobody else would finish it.
        renew_reminder(account, id, name)
        continue_run(account, id, name, last["id"], last["mode"])
    elif last is not None and is_enough and last["state"] != "running" and last["started"].timestamp() >= request.asked:
        end_stream(account, id, name, (last["report"] or {}).get("error"))
    else:
        start_run(account, id, name, mode_of(request), parse_time(request.since))


def renew_reminder(account: str, request: str, stream: str) -> None:
    """Have the run resumed unless another page of it is written within `STALLED_AFTER_S`; renew its scheduled run."""
    reminders.remind(_reminder(account, request, stream), STALLED_AFTER_S)
    if entry_runs.is_scheduled(request):
        entry_runs.renew_run(request, entry_runs.RUN_DEAD_AFTER_S)


def resume_soon(account: str, request: str, stream: str) -> None:
    """Record in Redis again that a run is over: the process that should have may have died, or a failover lost it."""
    reminders.remind(_reminder(account, request, stream), 0.0)


def _reminder(account: str, request: str, stream: str) -> str:
    return f"sync|{account}|{request}|{stream}"


# Windows, partitions and times.


def parse_time(text: str | None) -> datetime | None:
    """Return the time of a request or of a page; UTC if it names no time zone."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def time_field(stream: Stream, mode: Mode) -> TimeField | None:
    """Return the field that bounds a run's windows: when a record changed or, for a full scan, when it was created."""
    return stream.time if mode == "incremental" else stream.scan_time


def find_partition(stream: Stream, name: str) -> Partition:
    """Return the partition of this name."""
    if stream.parent is not None:
        return stream.parent.partition(name.partition("=")[2])
    return next(each for each in stream.partitions if each.name == name)


def written_tables(stream: Stream) -> list[Any]:
    """Return the tables that a run of a stream writes: its own, and those of the streams that come with it."""
    with_it = [each.table for each in STREAMS.values() if each.parent and each.parent.stream == stream.name
               and each.parent.include]  # fmt: skip
    return [stream.table, *with_it]


def has_spare_budget(connection: Any, run: int, stream: Stream, seconds: float) -> bool:
    """Return True if fewer windows are being read than the budget could keep busy, at this many seconds an answer."""
    assert stream.action is not None
    return runs.count_open_windows(connection, run) < parallel_windows(stream.action.declaration.limits.steady, seconds)


def _cut_window(
    connection: Any, run: int, window: SyncWindow, times: Sequence[datetime], now: datetime
) -> tuple[SyncWindow, list[SyncWindow]]:
    """Cut the rest of a window in two, after a page with these times; return what it keeps, and the window cut off."""
    cut = midpoint(times[0], times[-1], window.until or now)
    if cut is None:
        return window, []
    cut_off = SyncWindow(window.partition, uuid4().int % 2**31, cut, window.until)
    if not runs.split_window(connection, run, window, cut, cut_off):
        return window, []
    return replace(window, until=cut), [cut_off]


def _times_of(resources: Iterable[Mapping[str, Any]], by: TimeField | None) -> list[datetime]:
    """Return the times of resources by this field, in order."""
    return sorted(at for each in resources if (at := moment(by.name)(each))) if by else []


def _unbegun_windows(connection: Any, run: int, stream: Stream) -> list[SyncWindow]:
    """Return the windows of which no page has been read, and which may be read now."""
    unbegun = [each for each in runs.open_windows(connection, run) if not each["pages"]]
    return [_as_window(each) for each in _readable(stream, unbegun)]


def _readable(stream: Stream, unread: list[RowMapping]) -> list[RowMapping]:
    """Of the windows that have not been read, those that may be read now: all, or the first partition's."""
    return [each for each in unread if not stream.in_turn or each["partition"] == unread[0]["partition"]]


def _as_window(row: RowMapping) -> SyncWindow:
    return SyncWindow(row["partition"], row["slice"], row["since"], row["until"])


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
