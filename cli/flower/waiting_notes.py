"""Why a task waits and until when, as a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from cli.limits import ANSWERED_429
from worker.governor import Pause
from worker.governor.backlog import LineBacklog, Waiting
from worker.pauses import describe, holders, owner

#: Buckets and lines: the Unix time until which nothing of them is sent, and why, empty after a 429.
Blocked = Mapping[str, tuple[float, str]]

_WINDOW = re.compile(r"(\d+):(\d+)")


def explain_wait(task: Waiting, line: LineBacklog, blocked: Blocked, pauses: Iterable[Pause], now: float) -> str:
    """Return why a task of a line waits at a moment (Unix time), and until when, as far as that is known."""
    held_by = holders(line.line, line.queue)
    for pause in pauses:
        if pause.what in held_by:
            return f"waits: the {describe(pause.what)} is {pause.cause}. {pause.how_to_resume}"
    if task.not_before is not None and task.not_before > now:
        return f"waits until {_clock(task.not_before)}: its time has not come"
    until, reason = _longest_block(line, blocked)
    if until > now:
        return f"waits until {_clock(until)}: {reason or ANSWERED_429}"
    ahead = _ahead(task, line)
    soonest = now + ahead / rate(line)
    limits = f"waits for Klaviyo's limits on account {owner(line.line)[0]}"
    lane = " in lane bulk" if task.lane == "bulk" else ""
    if not ahead:
        return f"{limits}: the next of {line.total:,}{lane}"
    return f"{limits}, until {_clock(soonest)} at the earliest: {ahead:,} before it{lane}"


def earliest_time(task: Waiting, line: LineBacklog, blocked: Blocked, now: float) -> float:
    """Return the Unix time at which a task may go at the earliest, if nothing is paused; arguments as above."""
    if task.not_before is not None and task.not_before > now:
        return task.not_before
    return max(_longest_block(line, blocked)[0], now) + _ahead(task, line) / rate(line)


def _ahead(task: Waiting, line: LineBacklog) -> int:
    return task.place - 1 + (line.now if task.lane == "bulk" else 0)


def _longest_block(line: LineBacklog, blocked: Blocked) -> tuple[float, str]:
    return max(blocked.get(name, (0.0, "")) for name in (line.line, *buckets(line)))


def buckets(line: LineBacklog) -> list[str]:
    """Return the names of the buckets that a line draws on."""
    return [part.rpartition("=")[0] for part in line.spec.split(";")[1:]]


def rate(line: LineBacklog) -> float:
    """Return how many of its tasks may go in a second, in the long run."""
    return min(int(limit) / int(length_ms) * 1000 for limit, length_ms in _WINDOW.findall(line.spec.partition(";")[2]))


def _clock(moment: float) -> str:
    """Return a time of day, with the date where that is not today's."""
    there = datetime.fromtimestamp(moment).astimezone()
    today = there.date() == datetime.now().astimezone().date()
    return f"{there:%H:%M:%S %Z}" if today else f"{there:%Y-%m-%d %H:%M:%S %Z}"
