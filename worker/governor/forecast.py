"""When a waiting list will be empty, from its windows, if nothing more is published. Pure.

A window gives a request back as long after its answer as the window is long, so what has been used comes back in the
order and at the pace in which it went, period after period. So a few times of answers tell when any number of requests
will have gone: whole periods are counted, and only the last one is looked at. Within what a period gives back at once,
the smaller windows set the pace in the same way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.governor.terms import RESERVE_FRACTION, BucketLook, Look, Pause
from worker.pauses import describe, holders
from worker.tiers import MINUTE_MS, SECOND_MS


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until the lane now, and the whole line, has no task left that could go; None where nobody can tell.

    Tasks whose time has not come are left out. ``per_minute``: how many calls a minute it can send from now on, at its
    turn among the lines that share its buckets, or as many as travel together at present. ``why`` it stands still;
    empty where it does not.
    """

    now: float | None
    empty: float | None
    per_minute: float
    why: str = ""


def forecasts(looks: Sequence[Look], pauses: Iterable[Pause] = (), slots: Mapping[str, int] | None = None) -> dict[
    str, Forecast
]:  # fmt: skip
    """Return a forecast for each line where something waits that could go.

    ``slots`` are those of the workers, by queue; None where it does not matter whether any runs.
    """
    paused = {each.what: each for each in pauses}
    busy = [look for look in looks if look.now + look.bulk]
    sharing: dict[str, list[Look]] = defaultdict(list)
    for look in busy:
        for bucket in look.buckets:
            sharing[bucket.name].append(look)
    return {look.line: _forecast(look, sharing, stands_still(look, paused, slots)) for look in busy}


def pause_of(look: Look, paused: Mapping[str, Pause]) -> Pause | None:
    """Return the pause that holds a line: that of its account, its action or its tier, among all by what they hold."""
    holds = sorted(holders(look.line, look.queue))
    return next((paused[what] for what in holds if what in paused), None)


def stands_still(look: Look, paused: Mapping[str, Pause], slots: Mapping[str, int] | None = None) -> str:
    """Return why nothing of a line goes, whatever its windows say; empty if that is not so."""
    if pause := pause_of(look, paused):
        return f"the {describe(pause.what)} is {pause.cause}"
    if slots is not None and not slots.get(look.queue):
        return "no worker takes tasks of this tier"
    return ""


def _forecast(look: Look, sharing: Mapping[str, Sequence[Look]], why: str) -> Forecast:
    if why:
        return Forecast(None, None, 0.0, why)
    now, empty, per_minute = 0.0, 0.0, math.inf
    for bucket in look.buckets:
        lines, blocked = sharing[bucket.name], max(look.blocked, bucket.blocked)
        # Lines that share a bucket take turns, those with tasks in the lane now before the others.
        first = sum(min(each.now, look.now) for each in lines)
        urgent = sum(each.now if look.bulk else min(each.now, look.now) for each in lines)
        late = sum(min(each.bulk, look.bulk) for each in lines)
        if look.now:
            now = max(now, _until_granted(first, bucket, blocked))
        empty = max(empty, _until_all_granted(urgent, late, bucket, blocked))
        per_minute = min(per_minute, _per_minute(urgent + late, bucket) / len(lines))
    if look.together_per_minute and not max(look.blocked, *(bucket.blocked for bucket in look.buckets)):
        # How many calls a request carries is known of those that have gone. It may draw on other windows than they.
        pace = look.together_per_minute / 60
        now, empty = min(now, look.now / pace), min(empty, (look.now + look.bulk) / pace)
        per_minute = max(per_minute, look.together_per_minute)
    if math.isinf(empty):
        return Forecast(None, None, 0.0, "other software uses all of its quota")
    return Forecast(now if look.now else None, empty, per_minute)


def until_next(bucket: BucketLook) -> float:
    """Return the seconds until a bucket's windows let one more request go; infinite where nobody can tell."""
    return _until_granted(1, bucket, bucket.blocked)


def _until_all_granted(urgent: int, late: int, bucket: BucketLook, blocked: float) -> float:
    """Seconds until the tasks of both lanes have been granted."""
    if not late or not bucket.urgent:
        return _until_granted(urgent + late, bucket, blocked)
    # While the lane now is used, the lane bulk leaves a part of each window to it. The lane now uses that for as long
    # as it fills the window by itself.
    used, limit = next(
        (used, _limit(limit, length, bucket)) for used, limit, length in bucket.windows if length == MINUTE_MS
    )
    filled = (used + urgent) // limit - used // limit if limit > 0 else 0
    alike = urgent + late - filled * math.floor(limit * RESERVE_FRACTION)
    seconds = _until_granted(alike, bucket, blocked, spare=RESERVE_FRACTION)
    if seconds <= bucket.urgent:
        return max(seconds, _until_granted(urgent, bucket, blocked))
    return bucket.urgent + (seconds - bucket.urgent) * (1 - RESERVE_FRACTION)


def _until_granted(count: int, bucket: BucketLook, blocked: float, spare: float = 0.0) -> float:
    """Seconds until so many requests have been granted on a bucket, one after the other; infinite if never."""
    paired = zip(bucket.windows, bucket.back or [()] * len(bucket.windows), strict=True)
    windows = [
        _Window(used, _limit(limit, length, bucket, spare), length / SECOND_MS, back)
        for (used, limit, length), back in paired
    ]
    return _when(count, sorted(windows, key=lambda each: -each.period), blocked) if count else 0.0


def _limit(limit: int, length: int, bucket: BucketLook, spare: float = 0.0) -> int:
    """What a window leaves to us: without what other software uses, and what is kept for the lane now."""
    left = limit - (bucket.foreign if length == MINUTE_MS else 0)
    return left - math.floor(left * spare)


@dataclass(frozen=True, slots=True)
class _Window:
    """A window of so many seconds, and in how many it gives back each of equal parts of what is used of it."""

    used: int
    limit: int
    period: float
    back: tuple[float, ...]

    def parts(self, blocked: float) -> list[tuple[float, int]]:
        """Return when how many requests may go, of one period: what is free, then what comes back, in order."""
        times, parts = self.back or (self.period,), [(blocked, max(0, self.limit - self.used))]
        beyond = max(0, self.used - self.limit)  # where the limit has become smaller
        for number, seconds in enumerate(times):
            size = self.used * (number + 1) // len(times) - self.used * number // len(times)
            gone = min(size, beyond)
            beyond -= gone
            parts.append((max(blocked, seconds), size - gone))
        return sorted(parts)


def _when(count: int, windows: Sequence[_Window], blocked: float) -> float:
    """Seconds until so many requests have gone, by windows of which the longest comes first, as they are used now."""
    if not windows:
        return blocked
    first, *smaller = windows
    if first.limit <= 0:
        return math.inf
    periods, left = divmod(count - 1, first.limit)
    left += 1
    start = 0.0
    for start, size in first.parts(blocked):  # noqa: B007  the last one is meant
        if left <= size:
            break
        left -= size
    start += periods * first.period
    inside = start + _afresh(left, smaller) if start > blocked else 0.0
    return max(start, inside, _when(count, smaller, blocked))


def _afresh(count: int, windows: Sequence[_Window]) -> float:
    """Seconds until so many requests have gone, by windows of which nothing is used."""
    if not windows:
        return 0.0
    first, *smaller = windows
    periods, left = divmod(count - 1, max(1, first.limit))
    return periods * first.period + _afresh(left + 1, smaller)


def _per_minute(count: int, bucket: BucketLook) -> float:
    """Requests a minute that a bucket allows; a day's window counts where what waits does not fit into its rest."""
    rates = [
        _limit(limit, length, bucket) * MINUTE_MS / length
        for used, limit, length in bucket.windows
        if length <= MINUTE_MS or used + count > limit
    ]
    return max(0.0, min(rates, default=math.inf))
