"""What a sync would take, for each stream: requests, their share of the budget, and seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from schedules.plan.counting import Count, count_stream
from schedules.plan.probes import Probes, ask_now
from schedules.pull.slices import MAX_PARALLEL_WINDOWS
from schedules.pull.streams import STREAMS
from schedules.reports.pages import REPORTS
from schedules.store.connection import reading
from schedules.store.runs import Mode
from schedules.stream_status import last_complete_run
from tasks.imports.estimate import seconds_at
from worker.action import Action
from worker.governor import Look, get_governor
from worker.redis.homes import at_home
from worker.tiers import DAY_MS

#: Seconds that it takes to parse and write a row, until a run of this many pages has shown how many it takes.
ROW_S, MIN_PAGES = 100e-6, 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """What it would take to read a stream.

    ``uncertainty``: the share by which ``requests`` may be wrong. ``at_least``: there may be any number more.
    ``minutes`` and ``days``: how many minutes of the account's whole budget it takes, and how many days of it where
    Klaviyo has a daily limit. ``source``: where the numbers come from. ``probes``: the requests made to find out.
    """

    account: str
    stream: str
    mode: Mode
    rows: int | None
    requests: int
    uncertainty: float
    at_least: bool
    minutes: float
    days: float | None
    seconds: float
    source: str
    probes: int


def estimate_sync(
    account: str,
    streams: Sequence[str],
    mode: Mode,
    since: datetime | None = None,
    probes: Probes | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Estimate]:
    """Estimate what a sync of these streams would take if it started now; ``progress`` is told each stream's name.

    Raises:
        SettingsError: the store has not been created.
        KlaviyoError: Klaviyo cannot be asked.

    """
    asked = probes or Probes(ask_now(account))
    counted: dict[str, tuple[Count, int]] = {}
    for name in streams:
        progress(name)
        before = len(asked.seconds)
        known = {each: count.rows or 0 for each, (count, _) in counted.items()}
        found = count_stream(account, name, _mode(name, mode), since, asked, known)
        counted[name] = found, len(asked.seconds) - before
    with at_home(account):
        governor = get_governor()
        looks = governor.look(governor.lines(account))
    with reading() as connection:
        paces = {name: Pace(asked.latency, _seconds_per_row(connection, account, name)) for name in counted}
    return [
        _estimate(account, name, _mode(name, mode), count, probed, paces[name], looks)
        for name, (count, probed) in counted.items()
    ]


def total_seconds(estimates: Iterable[Estimate]) -> float:
    """Return the seconds for streams of one account that are read at once, each after its parent stream."""
    ends: dict[str, float] = {}
    rows = 0
    for each in estimates:
        parent = STREAMS[each.stream].parent if each.stream in STREAMS else None
        ends[each.stream] = each.seconds + (ends.get(parent.stream, 0.0) if parent else 0.0)
        rows += each.rows or 0
    return max([rows * ROW_S, *ends.values()])


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds Klaviyo takes to answer, and a row takes to be written."""

    answer_s: float
    row_s: float


def _estimate(
    account: str, name: str, mode: Mode, count: Count, probed: int, pace: Pace, looks: Sequence[Look]
) -> Estimate:  # fmt: skip
    declaration = _action(name).declaration
    budget = seconds_at(account, declaration.name, count.pages, looks)
    answers = max(count.rounds, count.pages / MAX_PARALLEL_WINDOWS) * pace.answer_s
    day = next((window.limit for window in declaration.limits.windows if window.length_ms == DAY_MS), None)
    return Estimate(
        account=account,
        stream=name,
        mode=mode,
        rows=None if count.rows is None else round(count.rows),
        requests=count.pages,
        uncertainty=count.uncertainty,
        at_least=not count.whole,
        minutes=count.pages / declaration.limits.steady,
        days=count.pages / day if day else None,
        seconds=max(budget, answers, (count.rows or 0) * pace.row_s),
        source=count.source,
        probes=probed,
    )


def _mode(name: str, asked: Mode) -> Mode:
    """Return how a stream is read: whole if it has no field that finds changes."""
    return "full" if name in STREAMS and not STREAMS[name].time else "incremental" if name in REPORTS else asked


def _action(name: str) -> Action[Any]:
    action = REPORTS[name].action if name in REPORTS else STREAMS[name].action
    assert action is not None
    return action


def _seconds_per_row(connection: Connection, account: str, name: str) -> float:
    """Return the seconds that each row took in the latest complete run, all waiting included, if it was long enough."""
    done = last_complete_run(connection, account, name)
    if done is None or done["requests"] < MIN_PAGES or not done["rows"]:
        return ROW_S
    return float((done["ended"] - done["started"]).total_seconds() / done["rows"])
