"""What a sync would take, before anything runs: requests, their share of the budget, and seconds for each stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from schedules.plan.counting import Count, count
from schedules.plan.probes import Probes, ask_now
from schedules.pull.pages import Mode
from schedules.pull.slices import MOST
from schedules.pull.streams import STREAMS
from schedules.reports.pages import REPORTS
from schedules.standing import last_done
from schedules.store.connection import reading
from tasks.imports.estimate import seconds_at
from worker.action import Action
from worker.governor import Look, get_governor
from worker.tiers import DAY

#: Seconds that a row takes here, to be unpacked and written, until a run of so many pages has shown how many.
ROW, SHOWN = 100e-6, 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """What reading a stream would take.

    ``off``: the share by which ``requests`` may be wrong. ``at_least``: there may be any number more. ``minutes`` and
    ``days``: how many minutes, and days where Klaviyo has a limit for these, of the account's whole budget it is.
    ``source``: where the number is from. ``probes``: the requests that this took.
    """

    account: str
    stream: str
    mode: Mode
    rows: int | None
    requests: int
    off: float
    at_least: bool
    minutes: float
    days: float | None
    seconds: float
    source: str
    probes: int


def plan(
    account: str,
    streams: Sequence[str],
    mode: Mode,
    since: datetime | None = None,
    probes: Probes | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Estimate]:
    """Estimate what a sync of these streams would take if it began now.

    Raises:
        SettingsError: the store has not been made. KlaviyoError: Klaviyo cannot be asked.

    """
    asked = probes or Probes(ask_now(account))
    counted: dict[str, tuple[Count, int]] = {}
    for name in streams:
        progress(name)
        before = len(asked.seconds)
        known = {each: count.rows or 0 for each, (count, _) in counted.items()}
        found = count(account, name, _mode(name, mode), since, asked, known)
        counted[name] = found, len(asked.seconds) - before
    looks = get_governor().look()
    with reading() as connection:
        paces = {name: Pace(asked.latency, _row(connection, account, name)) for name in counted}
    return [
        _estimate(account, name, _mode(name, mode), count, probed, paces[name], looks)
        for name, (count, probed) in counted.items()
    ]


def together(estimates: Iterable[Estimate]) -> float:
    """Seconds for streams of one account that are read at once, each when what it hangs on has been read."""
    ends: dict[str, float] = {}
    rows = 0
    for each in estimates:
        parent = STREAMS[each.stream].parent if each.stream in STREAMS else None
        ends[each.stream] = each.seconds + (ends.get(parent.stream, 0.0) if parent else 0.0)
        rows += each.rows or 0
    return max([rows * ROW, *ends.values()])


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds an answer of Klaviyo's takes, and a row here."""

    answer: float
    row: float


def _estimate(
    account: str, name: str, mode: Mode, count: Count, probed: int, pace: Pace, looks: Sequence[Look]
) -> Estimate:  # fmt: skip
    declaration = _action(name).declaration
    budget = seconds_at(account, declaration.name, count.pages, looks)
    answers = max(count.rounds, count.pages / MOST) * pace.answer
    day = next((window.limit for window in declaration.limits.windows if window.length == DAY), None)
    return Estimate(
        account=account,
        stream=name,
        mode=mode,
        rows=None if count.rows is None else round(count.rows),
        requests=count.pages,
        off=count.off,
        at_least=not count.whole,
        minutes=count.pages / declaration.limits.steady,
        days=count.pages / day if day else None,
        seconds=max(budget, answers, (count.rows or 0) * pace.row),
        source=count.source,
        probes=probed,
    )


def _mode(name: str, asked: Mode) -> Mode:
    """How a stream is read: whole where there is nothing to know its changes by."""
    return "full" if name in STREAMS and not STREAMS[name].time else "incremental" if name in REPORTS else asked


def _action(name: str) -> Action[Any]:
    action = REPORTS[name].action if name in REPORTS else STREAMS[name].action
    assert action is not None
    return action


def _row(connection: Connection, account: str, name: str) -> float:
    """Seconds that each row took in the last long run, whatever it was that it waited for."""
    done = last_done(connection, account, name)
    if done is None or done["requests"] < SHOWN or not done["rows"]:
        return ROW
    return float((done["ended"] - done["started"]).total_seconds() / done["rows"])
