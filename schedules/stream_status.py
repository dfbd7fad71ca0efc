"""The status of each stream of an account: its rows in the store, its watermark, its last run. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from schedules.pull.definition import Stream
from schedules.pull.streams import STREAMS
from schedules.reports.pages import REPORTS
from schedules.store import runs
from schedules.store.tables import sync_runs, sync_windows, watermarks


@dataclass(frozen=True, slots=True)
class PullRun:
    """A run of a stream, running or ended. ``closed`` of its ``windows`` have been read whole."""

    id: int
    mode: str
    state: str
    started: datetime
    ended: datetime | None
    rows: int
    requests: int
    windows: int
    closed: int
    deleted: int
    note: str | None
    error: str | None

    def seconds(self, now: datetime) -> float:
        """Return how long it took, or has taken so far."""
        return ((self.ended or now) - self.started).total_seconds()


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream of one account. ``watermark``: the time up to which all of its partitions have been read."""

    account: str
    stream: str
    rows: int
    watermark: datetime | None
    run: PullRun | None


def stream_status(connection: Connection, account: str, name: str) -> StreamStatus:
    """Return the status of a stream or report. A stream that comes with another's pages has that one's run."""
    if name in REPORTS:
        table = REPORTS[name].table
        rows = connection.execute(select(func.count()).where(table.c.account == account)).scalar_one()
        return StreamStatus(account, name, int(rows), None, last_run(connection, account, name))
    stream = STREAMS[name]
    source = stream.parent.stream if stream.parent and stream.action is None else name
    rows, upto = count_rows(connection, account, stream), watermark(connection, account, source)
    return StreamStatus(account, name, rows, upto, last_run(connection, account, source))


def last_run(connection: Connection, account: str, name: str) -> PullRun | None:
    """Return the latest run of a stream."""
    row = runs.latest(connection, account, name, "pull")
    return _run(connection, row) if row else None


@dataclass(frozen=True, slots=True)
class LatestRun:
    """The latest run of a stream, and its watermark, without a count of the rows that the store has.

    A run that has ended has no windows here: only how far one has come is of interest.
    """

    account: str
    stream: str
    watermark: datetime | None
    run: PullRun


def latest_runs(connection: Connection) -> Iterator[LatestRun]:
    """Yield the latest run of every stream of every account, by a few queries however many there are."""
    c, mark = sync_runs.c, watermarks.c
    newest = select(func.max(c.id)).where(c.direction == "pull").group_by(c.account, c.stream)
    earliest = select(mark.account, mark.stream, func.min(mark.value)).group_by(mark.account, mark.stream)
    known = {(account, stream): value for account, stream, value in connection.execute(earliest)}
    rows = connection.execute(select(sync_runs).where(c.id.in_(newest)).order_by(c.account, c.stream)).mappings().all()
    for row in rows:
        run = _pull_run(row, 0, 0, row["rows"], row["requests"]) if row["ended"] else _run(connection, row)
        yield LatestRun(row["account"], row["stream"], known.get((row["account"], row["stream"])), run)


def last_successes(connection: Connection) -> dict[tuple[str, str], datetime]:
    """Return when a run of each stream of each account last came to its end."""
    c = sync_runs.c
    ended = select(c.account, c.stream, func.max(c.ended)).where(c.direction == "pull", c.state == "done")
    return {(account, stream): at for account, stream, at in connection.execute(ended.group_by(c.account, c.stream))}


def last_complete_run(connection: Connection, account: str, name: str) -> RowMapping | None:
    """Return the latest run that read a stream to its end."""
    c = sync_runs.c
    mine = c.account == account, c.stream == name, c.direction == "pull", c.state == "done"
    return connection.execute(select(sync_runs).where(*mine).order_by(c.id.desc()).limit(1)).mappings().first()


def _run(connection: Connection, row: RowMapping) -> PullRun:
    c = sync_windows.c
    sums = select(func.count(), func.count(c.closed), func.sum(c.rows), func.sum(c.pages)).where(c.run == row["id"])
    windows, closed, rows, pages = connection.execute(sums).one()
    if row["ended"]:
        # The windows of a run that ended long ago have been pruned.
        rows, pages = row["rows"], row["requests"]
    return _pull_run(row, windows, closed, rows or 0, pages or 0)


def _pull_run(row: RowMapping, windows: int, closed: int, rows: int, requests: int) -> PullRun:
    report: dict[str, Any] = row["report"] or {}
    return PullRun(
        row["id"], row["mode"], row["state"], row["started"], row["ended"], rows, requests, windows, closed,
        report.get("deleted", 0), report.get("note"), report.get("error"),
    )  # fmt: skip


def watermark(connection: Connection, account: str, name: str) -> datetime | None:
    """Return the earliest watermark of all partitions."""
    c = watermarks.c
    earliest = select(func.min(c.value)).where(c.account == account, c.stream == name)
    value: datetime | None = connection.execute(earliest).scalar()
    return value


def count_rows(connection: Connection, account: str, stream: Stream) -> int:
    """Count the rows of a stream that have not been deleted."""
    return int(connection.execute(select(func.count()).where(*live_rows(account, stream))).scalar_one())


def live_rows(account: str, stream: Stream) -> list[ColumnElement[bool]]:
    """Return the conditions for a stream's rows that have not been deleted; the streams of jobs share a table."""
    table = stream.table
    common = [table.c.account == account, table.c.deleted_at.is_(None)]
    kind = stream.name.partition(":")[2]
    return [*common, table.c.kind == f"{kind}-job"] if kind else common
