"""Runs of the syncs: what a run still has to read, what it has read, and the watermarks that it leaves behind."""

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
class Window:
    """A part of a run: a partition, or a slice of its time; without bounds where a stream has no time to slice."""

    partition: str = ""
    slice: int = 0
    since: datetime | None = None
    until: datetime | None = None


def begin(
    connection: Connection, account: str, stream: str, direction: Direction, mode: Mode, started: datetime
) -> int:
    """Note that a run begins, and return its number."""
    row = {"account": account, "stream": stream, "direction": direction, "mode": mode, "started": started}
    made = insert(sync_runs).values(**row, state="running").returning(sync_runs.c.id)
    number: int = connection.execute(made).scalar_one()
    return number


def last(connection: Connection, account: str, stream: str, direction: Direction) -> RowMapping | None:
    """The run of a stream that began last; where its state is "running", it is to be gone on with."""
    mine = sync_runs.c.account == account, sync_runs.c.stream == stream, sync_runs.c.direction == direction
    chosen = select(sync_runs).where(*mine).order_by(sync_runs.c.id.desc()).limit(1)
    return connection.execute(chosen).mappings().first()


def run(connection: Connection, id: int) -> RowMapping:
    """One run."""
    return connection.execute(select(sync_runs).where(sync_runs.c.id == id)).mappings().one()


def plan(connection: Connection, run: int, windows: Iterable[Window]) -> None:
    """Note what a run has to read. What is planned already stays as far as it is."""
    insert_missing(
        connection,
        sync_windows,
        [
            {"run": run, "partition": each.partition, "slice": each.slice, "since": each.since, "until": each.until}
            for each in windows
        ],
    )


def unread(connection: Connection, run: int) -> list[RowMapping]:
    """The windows of a run that are not closed, with the pages that each has had."""
    c = sync_windows.c
    chosen = select(sync_windows).where(c.run == run, c.closed.is_(None)).order_by(c.partition, c.slice)
    return list(connection.execute(chosen).mappings())


def read_from(connection: Connection, run: int, partition: str) -> datetime | None:
    """Where the windows of a partition begin; None where they begin with its first row."""
    c = sync_windows.c
    chosen = select(c.since).where(c.run == run, c.partition == partition).order_by(c.since.is_not(None), c.since)
    return connection.execute(chosen.limit(1)).scalar()


def left(connection: Connection, run: int) -> int:
    """How many windows of a run are not closed."""
    c = sync_windows.c
    counted = select(func.count()).where(c.run == run, c.closed.is_(None))
    return int(connection.execute(counted).scalar_one())


def goes_on(connection: Connection, run: int) -> bool:
    """Whether a window of a run is not closed."""
    c = sync_windows.c
    return connection.execute(select(c.slice).where(c.run == run, c.closed.is_(None)).limit(1)).first() is not None


def window(connection: Connection, run: int, partition: str, slice: int) -> RowMapping | None:
    """One window as it stands."""
    c = sync_windows.c
    chosen = select(sync_windows).where(c.run == run, c.partition == partition, c.slice == slice)
    return connection.execute(chosen).mappings().first()


def split(connection: Connection, run: int, kept: Window, until: datetime, fresh: Window) -> bool:
    """End an open window at ``until`` and open another behind it; False where somebody has split it meanwhile."""
    c = sync_windows.c
    ours = (c.run == run, c.partition == kept.partition, c.slice == kept.slice, c.closed.is_(None))
    unchanged = c.until.is_(None) if kept.until is None else c.until == kept.until
    narrowed = update(sync_windows).where(*ours, unchanged).values(until=until)
    if not connection.execute(narrowed).rowcount:
        return False
    plan(connection, run, [fresh])
    return True


def count_page(
    connection: Connection, run: int, window: Window, page: int, rows: int, closed: datetime | None = None
) -> bool:
    """Count a page, the first being 1, and close the window with its last; False where it was counted before.

    A page that was delivered twice, or out of turn, changes nothing.
    """
    c = sync_windows.c
    counted = (
        update(sync_windows)
        .where(c.run == run, c.partition == window.partition, c.slice == window.slice, c.pages == page - 1)
        .where(c.closed.is_(None))
        .values(pages=page, rows=c.rows + rows, closed=closed)
    )
    return bool(connection.execute(counted).rowcount)


def was_last(connection: Connection, id: int, partition: str, slice: int, page: int) -> bool:
    """Whether a window was closed by this page, of a run that has not ended."""
    found = window(connection, id, partition, slice)
    closed = found is not None and found["closed"] is not None and found["pages"] == page
    return closed and run(connection, id)["state"] == "running"


def note(connection: Connection, run: int, report: dict[str, Any]) -> None:
    """Put this in place of a run's report, whether the run has ended or not."""
    connection.execute(update(sync_runs).where(sync_runs.c.id == run).values(report=report))


def end(
    connection: Connection, run: int, state: State, ended: datetime, report: dict[str, Any] | None = None,
    counts: tuple[int, int] | None = None,
) -> bool:  # fmt: skip
    """Note how a run ended, once: a run that has ended stays as it is. Whether it had not.

    ``counts`` are the rows and the requests of a run that reads no windows.
    """
    sums = select(func.coalesce(func.sum(sync_windows.c.rows), 0), func.coalesce(func.sum(sync_windows.c.pages), 0))
    rows, requests = counts or connection.execute(sums.where(sync_windows.c.run == run)).one()
    over = (
        update(sync_runs)
        .where(sync_runs.c.id == run, sync_runs.c.state == "running")
        .values(state=state, ended=ended, rows=rows, requests=requests, report=report)
    )
    return bool(connection.execute(over).rowcount)


def prune(connection: Connection, account: str, stream: str, before: datetime) -> None:
    """Forget the windows of the runs of a stream that ended before a moment; the runs themselves stay."""
    c = sync_runs.c
    old = select(c.id).where(c.account == account, c.stream == stream, c.ended < before)
    connection.execute(delete(sync_windows).where(sync_windows.c.run.in_(old)))


def watermark(connection: Connection, account: str, stream: str, partition: str = "") -> datetime | None:
    """Up to where a partition has been read whole; None before the first time."""
    c = watermarks.c
    chosen = select(c.value).where(c.account == account, c.stream == stream, c.partition == partition)
    return connection.execute(chosen).scalar()


def advance(connection: Connection, account: str, stream: str, partition: str, value: datetime) -> None:
    """Move a watermark forward; one that is farther already stays where it is."""
    upsert(connection, watermarks, [{"account": account, "stream": stream, "partition": partition, "value": value}])
