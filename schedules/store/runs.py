"""Runs of syncs and pushes: what a run has to read, what it has read, and the watermarks that it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from schedules.store.rows import insert_missing, upsert
from schedules.store.tables import sync_runs, sync_windows, watermarks

Direction = Literal["pull", "push"]
Mode = Literal["incremental", "full"]
State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """A part of a run: a partition, or a slice of its time; without bounds if the stream has no time field."""

    partition: str = ""
    slice: int = 0
    since: datetime | None = None
    until: datetime | None = None


def create(
    connection: Connection, account: str, stream: str, direction: Direction, mode: Mode, started: datetime
) -> int:
    """Record the start of a run, and return its id."""
    row = {"account": account, "stream": stream, "direction": direction, "mode": mode, "started": started}
    inserted = insert(sync_runs).values(**row, state="running").returning(sync_runs.c.id)
    number: int = connection.execute(inserted).scalar_one()
    return number


def latest(connection: Connection, account: str, stream: str, direction: Direction) -> RowMapping | None:
    """Return the latest run of a stream; if its state is "running", it is to be continued."""
    mine = sync_runs.c.account == account, sync_runs.c.stream == stream, sync_runs.c.direction == direction
    chosen = select(sync_runs).where(*mine).order_by(sync_runs.c.id.desc()).limit(1)
    return connection.execute(chosen).mappings().first()


def get(connection: Connection, id: int) -> RowMapping:
    """Return one run."""
    return connection.execute(select(sync_runs).where(sync_runs.c.id == id)).mappings().one()


def add_windows(connection: Connection, run: int, windows: Iterable[SyncWindow]) -> None:
    """Add windows to a run; those that it already has keep their progress."""
    insert_missing(
        connection,
        sync_windows,
        [
            {"run": run, "partition": each.partition, "slice": each.slice, "since": each.since, "until": each.until}
            for each in windows
        ],
    )


def open_windows(connection: Connection, run: int) -> list[RowMapping]:
    """Return the open windows of a run, with their progress."""
    c = sync_windows.c
    chosen = select(sync_windows).where(c.run == run, c.closed.is_(None)).order_by(c.partition, c.slice)
    return list(connection.execute(chosen).mappings())


def window_starts(connection: Connection, run: int) -> dict[str, datetime | None]:
    """Return where each partition of a run begins; None: with its first row."""
    c = sync_windows.c
    # The slices that are cut off later have other numbers.
    chosen = select(c.partition, c.since).where(c.run == run, c.slice == 0)
    return {row.partition: row.since for row in connection.execute(chosen)}


def count_open_windows(connection: Connection, run: int) -> int:
    """Count the open windows of a run."""
    c = sync_windows.c
    counted = select(func.count()).where(c.run == run, c.closed.is_(None))
    return int(connection.execute(counted).scalar_one())


def has_open_windows(connection: Connection, run: int) -> bool:
    """Return True if a run has an open window."""
    c = sync_windows.c
    return connection.execute(select(c.slice).where(c.run == run, c.closed.is_(None)).limit(1)).first() is not None


def get_window(connection: Connection, run: int, partition: str, slice: int) -> RowMapping | None:
    """Return one window with its progress; None if there is none."""
    c = sync_windows.c
    chosen = select(sync_windows).where(c.run == run, c.partition == partition, c.slice == slice)
    return connection.execute(chosen).mappings().first()


def split_window(connection: Connection, run: int, kept: SyncWindow, until: datetime, fresh: SyncWindow) -> bool:
    """End an open window at ``until`` and open ``fresh`` after it; False if it was split meanwhile."""
    c = sync_windows.c
    ours = (c.run == run, c.partition == kept.partition, c.slice == kept.slice, c.closed.is_(None))
    unchanged = c.until.is_(None) if kept.until is None else c.until == kept.until
    narrowed = update(sync_windows).where(*ours, unchanged).values(until=until)
    if not connection.execute(narrowed).rowcount:
        return False
    add_windows(connection, run, [fresh])
    return True


def count_page(
    connection: Connection, run: int, window: SyncWindow, page: int, rows: int, closed: datetime | None = None
) -> bool:
    """Count a page, the first being 1, and close the window if a time is given; False if it was counted before.

    A page that is delivered twice, or out of order, changes nothing.
    """
    c = sync_windows.c
    counted = (
        update(sync_windows)
        .where(c.run == run, c.partition == window.partition, c.slice == window.slice, c.pages == page - 1)
        .where(c.closed.is_(None))
        .values(pages=page, rows=c.rows + rows, closed=closed)
    )
    return bool(connection.execute(counted).rowcount)


def is_over(connection: Connection, id: int) -> bool:
    """Return True if a run has ended."""
    return bool(get(connection, id)["state"] != "running")


def was_last_page(connection: Connection, id: int, partition: str, slice: int, page: int) -> bool:
    """Return True if this page closed its window and the run has not ended."""
    found = get_window(connection, id, partition, slice)
    closed = found is not None and found["closed"] is not None and found["pages"] == page
    return closed and not is_over(connection, id)


def set_report(connection: Connection, run: int, report: dict[str, Any]) -> None:
    """Replace a run's report, whether the run has ended or not."""
    connection.execute(update(sync_runs).where(sync_runs.c.id == run).values(report=report))


def end(
    connection: Connection, run: int, state: State, ended: datetime, report: dict[str, Any] | None = None,
    counts: tuple[int, int] | None = None,
) -> bool:  # fmt: skip
    """End a run and return True; False if it had ended before, in which case it stays as it is.

    ``counts``: the rows and the requests of a run that reads no windows.
    """
    sums = select(func.coalesce(func.sum(sync_windows.c.rows), 0), func.coalesce(func.sum(sync_windows.c.pages), 0))
    rows, requests = counts or connection.execute(sums.where(sync_windows.c.run == run)).one()
    over = (
        update(sync_runs)
        .where(sync_runs.c.id == run, sync_runs.c.state == "running")
        .values(state=state, ended=ended, rows=rows, requests=requests, report=report)
    )
    return bool(connection.execute(over).rowcount)


def prune_windows(connection: Connection, account: str, stream: str, before: datetime) -> None:
    """Delete the windows of a stream's runs that ended before a given time; the runs themselves stay."""
    c = sync_runs.c
    old = select(c.id).where(c.account == account, c.stream == stream, c.ended < before)
    connection.execute(delete(sync_windows).where(sync_windows.c.run.in_(old)))


def get_watermark(connection: Connection, account: str, stream: str, partition: str = "") -> datetime | None:
    """Return the time up to which a partition has been read whole; None before the first run."""
    c = watermarks.c
    chosen = select(c.value).where(c.account == account, c.stream == stream, c.partition == partition)
    return connection.execute(chosen).scalar()


def advance_watermark(connection: Connection, account: str, stream: str, partition: str, value: datetime) -> None:
    """Move a watermark forward; one that is already further stays where it is."""
    upsert(connection, watermarks, [{"account": account, "stream": stream, "partition": partition, "value": value}])
