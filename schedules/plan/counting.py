"""How much a run of a stream would read: from the store as far as it is known, otherwise from a few pages of Klaviyo's.

Then the run is simulated (`schedules.plan.rehearsal`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from schedules.clock import redis_time
from schedules.plan.density import Curve
from schedules.plan.probes import Probes
from schedules.plan.rehearsal import Rehearsal, rehearse
from schedules.pull import pages as pull
from schedules.pull.definition import Partition, Stream
from schedules.pull.slices import parallel_windows
from schedules.pull.streams import STREAMS
from schedules.pull.watermark import CLOCK_MARGIN, ONE_SECOND, TimeField
from schedules.reports.conversion import conversion_metric
from schedules.reports.pages import REPORTS, plan_days, requests_left_today
from schedules.store.connection import reading
from schedules.store.runs import Mode, SyncWindow, get_watermark
from schedules.stream_status import count_rows, last_complete_run, live_rows
from worker.errors import SettingsError

#: How many points describe the rows in the store over time.
CURVE_POINTS = 512


@dataclass(frozen=True, slots=True)
class Count:
    """How much there is to read, and the source of the number; a report's rows are not known beforehand.

    ``rounds``: pages that have to be read one after the other. ``uncertainty``: the share by which the count may be
    wrong. Not ``whole``: there may be any number more.
    """

    rows: float | None
    pages: int
    rounds: int
    source: str
    uncertainty: float = 0.0
    whole: bool = True


def count_stream(
    account: str, name: str, mode: Mode, since: datetime | None, probes: Probes, known: Mapping[str, float]
) -> Count:  # fmt: skip
    """Count how much a run would read if it began now; ``known``: the rows of streams that were counted before."""
    if name in REPORTS:
        return _report(account, name)
    stream = STREAMS[name]
    if by := pull.time_field(stream, mode):
        return _by_time(account, stream, mode, by, since, probes)
    with reading() as connection:
        done = last_complete_run(connection, account, name)
        # Klaviyo forgets jobs; the store does not.
        if done is not None and (stream.page_size is None or not stream.deletes):
            return Count(done["rows"], done["requests"], done["requests"], "its last run")
        parts = pull.partitions(connection, account, stream)
        if done is not None:
            sizes = _sizes(connection, account, stream, parts)
            pages = [max(1, math.ceil(size / (stream.page_size or 1))) for size in sizes]
            return Count(sum(sizes), sum(pages), max(pages, default=0), "the store")
    if stream.parent:
        least = len(parts) or round(known.get(stream.parent.stream, 0))
        return Count(least, least, 1, f"one page for each of {stream.parent.stream}", whole=False)
    rows, requests, whole = probes.count(stream, parts[0])
    return Count(rows, requests, requests, "its first pages", whole=whole)


def _report(account: str, name: str) -> Count:
    try:
        metric, _ = conversion_metric(account)
    except SettingsError as error:
        return Count(None, 0, 0, f"it would fail: {error}")
    left, now = requests_left_today(account, REPORTS[name].action), redis_time()
    with reading() as connection:
        days, _ = plan_days(connection, account, name, metric, left, now)
    pages = sum(days.values())
    return Count(None, pages, pages, f"{len(days)} days that are due")


def _sizes(connection: Connection, account: str, stream: Stream, parts: Sequence[Partition]) -> list[int]:
    """Count the rows of each partition in the store."""
    if stream.parent is None:
        return [count_rows(connection, account, stream)]
    column = stream.table.c[stream.parent.column]
    counted = select(column, func.count()).where(*live_rows(account, stream)).group_by(column)
    sizes = {id: int(size) for id, size in connection.execute(counted)}
    return [sizes.get(part.values[stream.parent.column], 0) for part in parts]


# Streams that are read by a time field.


def _by_time(
    account: str, stream: Stream, mode: Mode, by: TimeField, since: datetime | None, probes: Probes
) -> Count:  # fmt: skip
    now = redis_time()
    with reading() as connection:
        windows = list(pull.initial_windows(connection, account, stream, mode, now - CLOCK_MARGIN, since))
        stored = [_stored(connection, account, stream, mode, by, window) for window in windows]
    rows, pages, rounds, missed = 0.0, 0, 0, 0.0
    whole, source = True, "probes"
    for window, (before, begin) in zip(windows, stored, strict=True):
        found = probes.survey(stream, pull.find_partition(stream, window.partition), by, begin, window.until)
        read = _read(
            stream, by, before.followed_by(found.curve) if before else found.curve, window, now, probes.latency
        )
        rows += found.curve.total + (before.total if before else 0.0)
        pages += read.pages
        rounds = max(rounds, read.rounds)
        missed = math.hypot(missed, found.uncertainty * found.curve.total)
        whole = whole and found.whole
        source = "the store" if before else source
    return Count(rows, pages, rounds, source, missed / max(rows, 1.0), whole)


def _stored(
    connection: Connection, account: str, stream: Stream, mode: Mode, by: TimeField, window: SyncWindow
) -> tuple[Curve | None, datetime | None]:
    """Return what the store knows of a window, and the time from which on Klaviyo has to be asked.

    By creation time, the store has all rows up to the watermark; of changes it knows nothing.
    """
    until = get_watermark(connection, account, stream.name, window.partition) if mode == "full" else None
    if until is None:
        return None, window.since
    column = stream.table.c[by.name]
    part = [
        stream.table.c[name] == value for name, value in pull.find_partition(stream, window.partition).values.items()
    ]
    mine = [*live_rows(account, stream), *part, column < until]
    size = int(connection.execute(select(func.count()).where(*mine)).scalar_one())
    every = max(1, size // CURVE_POINTS)
    numbered = select(column.label("at"), func.row_number().over(order_by=column).label("number")).where(*mine)
    row = numbered.subquery()
    points = select(row.c.at).where((row.c.number - 1) % every == 0).order_by(row.c.number)
    times = [at.timestamp() for at in connection.execute(points).scalars()]
    ranks = [float(place * every) for place in range(len(times))]
    return Curve([*times, until.timestamp()], [*ranks, float(size)]), until


def _read(
    stream: Stream, by: TimeField, curve: Curve, window: SyncWindow, now: datetime, latency: float
) -> Rehearsal:  # fmt: skip
    assert stream.action is not None
    assert stream.page_size is not None
    at_once = parallel_windows(stream.action.declaration.limits.steady, latency) if stream.sliced else 1
    early = ONE_SECOND.total_seconds() if by.lower == "greater-than" else 0.0
    until = window.until.timestamp() if window.until else None
    return rehearse(curve, until, now.timestamp(), stream.page_size, at_once, early)
