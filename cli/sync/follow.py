"""Following a sync to its end and showing its progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.text import Text

from cli.no_worker import NO_WORKER
from cli.sync.view import Part, windows_read
from cli.terminal.live import LiveView
from cli.terminal.printing import stderr
from cli.terminal.tables import listing
from cli.terminal.times import duration
from schedules.store.connection import reading
from schedules.store.outage import Outage, current_outage
from schedules.stream_status import last_run
from schedules.sync_requests import load
from worker.app import app
from worker.governor import get_governor
from worker.redis.homes import at_home

#: Seconds between two polls, and between two lines if there is no terminal.
POLL_INTERVAL_S, LINE_INTERVAL_S = 0.5, 10.0


def follow(asked: Mapping[str, str], streams: Sequence[str], progress: Progress) -> list[Part]:
    """Wait until the streams of all requests have ended, and return how; ``asked``: the accounts by request id."""
    while True:
        parts = [part for id, alias in asked.items() for part in parts_of_request(id, alias, streams)]
        if all(each.state in ("done", "failed") for each in parts):
            return parts
        progress(parts)
        time.sleep(POLL_INTERVAL_S)


def parts_of_request(id: str, alias: str, streams: Sequence[str]) -> Iterator[Part]:
    """Yield the state of each stream of a request."""
    with at_home(alias):
        request, result = load(id), app.AsyncResult(id)
    if result.failed():
        # It could not even start: the worker's settings differ from those of this process.
        yield from (Part(alias, name, "failed", None, str(result.result)) for name in streams)
        return
    for name in streams:
        state = request.streams.get(name, "wanted") if request else "wanted"
        if request is None or state == "wanted":
            yield Part(alias, name, state, None)
            continue
        with reading() as connection:
            run = last_run(connection, alias, name)
        if state == "running" and run and run.state != "running" and run.started.timestamp() < request.asked:
            run = None  # the previous one: this one is about to start
        if state in ("running", "done"):
            yield Part(alias, name, state, run)
        else:
            yield Part(alias, name, "failed", run, state)


class Progress(LiveView):
    """Shows the progress of a sync. Use it in a ``with``."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console or stderr(), transient=True)
        self._clock = clock
        self._printed_at = clock()
        self._working = True
        self._outage: Outage | None = None
        self._first: dict[int, tuple[float, int]] = {}

    def __call__(self, parts: Sequence[Part]) -> None:
        """Show the progress of its streams."""
        self._look_for_workers()
        self._look_at_store()
        rates = {each.run.id: self._rate(each.run.id, each.run.rows) for each in parts if each.run}
        if self.is_live:
            self.draw(_live_view(parts, rates, self._console.height))
        elif self._clock() - self._printed_at >= LINE_INTERVAL_S:
            self._printed_at = self._clock()
            self._console.print(Text(line(parts, rates)), soft_wrap=True)

    def _look_for_workers(self) -> None:
        """Say once when no worker is running."""
        working = bool(get_governor().slots())
        if self._working and not working:
            self._console.print(Text(NO_WORKER, "yellow"), soft_wrap=not self.is_live)
        self._working = working

    def _look_at_store(self) -> None:
        """Say once when the store cannot be written, which would look like a standstill, and when it can be again."""
        now = current_outage()
        if now and not self._outage:
            self._console.print(Text(f"{now}.", "red"), soft_wrap=True)
        elif self._outage and not now:
            self._console.print(Text("The store can be written again.", "green"), soft_wrap=True)
        self._outage = now

    def _rate(self, run: int, rows: int) -> float:
        """Return the rows a second since the run was first seen."""
        now = self._clock()
        began, before = self._first.setdefault(run, (now, rows))
        return (rows - before) / (now - began) if now > began else 0.0


def line(parts: Sequence[Part], rates: Mapping[int, float]) -> str:
    """Say how many streams have ended, and how far the others are."""
    over = sum(each.state in ("done", "failed") for each in parts)
    several = len({each.account for each in parts}) > 1
    clauses = [f"{over} of {len(parts)} streams read"]
    for each in parts:
        if each.state == "running" and (run := each.run):
            name = f"{each.stream} of {each.account}" if several else each.stream
            rate = f"{rates.get(run.id, 0.0):,.0f} rows/s"
            clauses.append(f"{name}: {run.rows:,} rows, {run.requests:,} requests, windows {windows_read(run)}, {rate}")
    return "; ".join(clauses)


def _live_view(parts: Sequence[Part], rates: Mapping[int, float], height: int) -> Group:
    """Lay out the streams that are being read, as many as fit, and how many wait and have been read."""
    several = "account" if len({each.account for each in parts}) > 1 else ""
    table = listing(
        several, "stream", "rows>", "requests>", "windows>", "rows/s>", "took>", whole=("stream",), below=(several,)
    )
    now, running = datetime.now(UTC), [each for each in parts if each.state == "running"]
    for each in running[: max(1, height - 3)]:
        run = each.run
        cells = (
            [f"{run.rows:,}", f"{run.requests:,}", windows_read(run), f"{rates.get(run.id, 0.0):,.0f}"] if run else []
        )
        account = [each.account] if several else []
        table.add_row(*account, each.stream, *(cells or ["-"] * 4), duration(run.seconds(now) if run else None))
    waiting = sum(each.state == "wanted" for each in parts)
    over = len(parts) - len(running) - waiting
    return Group(table, Text(f"{over} of {len(parts)} read, {waiting} waiting", "italic dim"))
