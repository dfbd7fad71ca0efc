"""A sync that goes on, followed to its end and told as it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.imports.view import NO_WORKER
from cli.sync.view import Part, windows
from cli.tables import listing
from cli.terminal import stderr
from cli.times import duration
from schedules.pull.requests import load
from schedules.standing import last_run
from schedules.store.connection import reading
from schedules.trouble import Trouble, trouble
from worker.app import app
from worker.governor import get_governor
from worker.patience import patiently

#: Seconds between two looks, and between two lines where there is no terminal.
LOOK, PLAIN = 0.5, 10.0


def follow(asked: Mapping[str, str], streams: Sequence[str], progress: Progress) -> list[Part]:
    """Wait until the streams of all requests, by id with their accounts, have ended; how they have."""
    while True:
        parts = [part for id, alias in asked.items() for part in standing_of(id, alias, streams)]
        if all(each.state in ("done", "failed") for each in parts):
            return parts
        progress(parts)
        time.sleep(LOOK)


def standing_of(id: str, alias: str, streams: Sequence[str]) -> Iterator[Part]:
    """How the streams of a request stand."""
    request, result = load(id), app.AsyncResult(id)
    if result.failed():
        # It could not even begin: the worker's settings are not those of this process.
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
            run = None  # the one before: this one is about to begin
        if state in ("running", "done"):
            yield Part(alias, name, state, run)
        else:
            yield Part(alias, name, "failed", run, state)


class Progress:
    """What is told of a sync that goes on. Used in a ``with``."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or stderr()
        self._clock = clock
        lives = self._console.is_terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if lives else None
        self._told = clock()
        self._working = True
        self._trouble: Trouble | None = None
        self._first: dict[int, tuple[float, int]] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, parts: Sequence[Part]) -> None:
        """Show how far its streams are."""
        self._look_for_workers()
        self._look_at_store()
        rates = {each.run.id: self._rate(each.run.id, each.run.rows) for each in parts if each.run}
        if self._live:
            self._live.update(_living(parts, rates, self._console.height), refresh=True)
        elif self._clock() - self._told >= PLAIN:
            self._told = self._clock()
            self._console.print(Text(line(parts, rates)), soft_wrap=True)

    def _look_for_workers(self) -> None:
        """Say it once when no worker runs."""
        working = bool(patiently(get_governor().slots))
        if self._working and not working:
            self._console.print(Text(NO_WORKER, "yellow"), soft_wrap=self._live is None)
        self._working = working

    def _look_at_store(self) -> None:
        """Say it once when nothing can be written, which looks as if nothing went on, and when that is over."""
        now = patiently(trouble)
        if now and not self._trouble:
            self._console.print(Text(f"{now}.", "red"), soft_wrap=True)
        elif self._trouble and not now:
            self._console.print(Text("The store can be written again.", "green"), soft_wrap=True)
        self._trouble = now

    def _rate(self, run: int, rows: int) -> float:
        """Rows a second since the run was first seen."""
        now = self._clock()
        began, before = self._first.setdefault(run, (now, rows))
        return (rows - before) / (now - began) if now > began else 0.0


def line(parts: Sequence[Part], rates: Mapping[int, float]) -> str:
    """How many streams have ended, and how far the others are, in words."""
    over = sum(each.state in ("done", "failed") for each in parts)
    several = len({each.account for each in parts}) > 1
    told = [f"{over} of {len(parts)} streams read"]
    for each in parts:
        if each.state == "running" and (run := each.run):
            name = f"{each.stream} of {each.account}" if several else each.stream
            rate = f"{rates.get(run.id, 0.0):,.0f} rows/s"
            told.append(f"{name}: {run.rows:,} rows, {run.requests:,} requests, windows {windows(run)}, {rate}")
    return "; ".join(told)


def _living(parts: Sequence[Part], rates: Mapping[int, float], height: int) -> Group:
    """Those that are being read, as many as fit; then how many wait and how many have been read."""
    several = "account" if len({each.account for each in parts}) > 1 else ""
    table = listing(
        several, "stream", "rows>", "requests>", "windows>", "rows/s>", "took>", whole=("stream",), below=(several,)
    )
    now, running = datetime.now(UTC), [each for each in parts if each.state == "running"]
    for each in running[: max(1, height - 3)]:
        run = each.run
        cells = [f"{run.rows:,}", f"{run.requests:,}", windows(run), f"{rates.get(run.id, 0.0):,.0f}"] if run else []
        account = [each.account] if several else []
        table.add_row(*account, each.stream, *(cells or ["-"] * 4), duration(run.seconds(now) if run else None))
    waiting = sum(each.state == "wanted" for each in parts)
    over = len(parts) - len(running) - waiting
    return Group(table, Text(f"{over} of {len(parts)} read, {waiting} wait", "italic dim"))
