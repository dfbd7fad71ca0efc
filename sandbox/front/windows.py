"""Exact fixed windows: how many requests each bucket admits in each of its seconds, minutes and days."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

SECOND, MINUTE, DAY = 1, 60, 86_400
PERIODS = (SECOND, MINUTE, DAY)
HISTORY = 10_000
"""Full windows remembered for each window: a week of minutes, nearly three hours of seconds."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What windows belong to. `limits` are for a second, a minute and, where there is one, a day."""

    account: str
    name: str
    limits: tuple[int, ...]


@dataclass(slots=True)
class Window:
    """The count of the window that is open now, and of the full ones before it."""

    seconds: int
    phase: float
    index: int
    limit: int
    count: int = 0
    full: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    whole: bool = False
    """False in the window in which the bucket was first used: it may have been used for a part of it only."""

    def start(self, index: int) -> float:
        """When the window with this index begins."""
        return self.phase + index * self.seconds

    def roll(self, now: float) -> None:
        """Close every window that has ended by now, the unused ones with a count of 0."""
        index = math.floor((now - self.phase) / self.seconds)
        if index <= self.index:
            return
        if self.whole:
            self.full.append((self.start(self.index), self.count))
        for skipped in range(max(self.index + 1, index - HISTORY), index):
            self.full.append((self.start(skipped), 0))
        self.index, self.count, self.whole = index, 0, True

    def ends_in(self, now: float) -> float:
        """Seconds to the end of the open window."""
        return self.start(self.index + 1) - now


@dataclass(frozen=True, slots=True)
class Steady:
    """What the RateLimit-* headers say: the minute of the endpoint's own bucket."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Draw:
    """The outcome of a request's attempt to draw on its buckets. `retry_after` is 0 when it was admitted."""

    retry_after: int
    steady: Steady

    @property
    def admitted(self) -> bool:
        """Whether the request may pass."""
        return self.retry_after == 0


class Windows:
    """The windows of all buckets. Nothing here reads a clock or draws lots: time and seed are handed in."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._windows: dict[tuple[str, str], dict[int, Window]] = {}

    def draw(self, buckets: Sequence[Bucket], now: float) -> Draw:
        """Charge one request to every window of every bucket, or, when one of them is full, to none."""
        drawn = [window for bucket in buckets for window in self._open(bucket, now)]
        full = [window.ends_in(now) for window in drawn if window.count >= window.limit]
        if not full:
            for window in drawn:
                window.count += 1
        return Draw(max(1, math.ceil(max(full))) if full else 0, self.steady(buckets[0], now))

    def steady(self, bucket: Bucket, now: float) -> Steady:
        """How the minute of a bucket stands."""
        window = self._open(bucket, now)[1]
        return Steady(window.limit, max(0, window.limit - window.count), math.ceil(window.ends_in(now)))

    def report(self, now: float) -> dict[str, dict[str, dict[str, object]]]:
        """Per account and bucket: limit, seconds and phase of each window, and the counts [start, admitted].

        The window in which a bucket was first used is left out of the full ones: it was open for a part only.
        """
        accounts: dict[str, dict[str, dict[str, object]]] = {}
        for (account, name), windows in self._windows.items():
            for window in windows.values():
                window.roll(now)
            accounts.setdefault(account, {})[name] = {
                "limits": [[w.limit, w.seconds, w.phase] for w in windows.values()],
                "full_windows": {str(w.seconds): list(w.full) for w in windows.values()},
                "open": {str(w.seconds): [w.start(w.index), w.count] for w in windows.values()},
            }
        return accounts

    def _open(self, bucket: Bucket, now: float) -> list[Window]:
        windows = self._windows.setdefault((bucket.account, bucket.name), {})
        opened = []
        for seconds, limit in zip(PERIODS, bucket.limits, strict=False):
            window = windows.get(seconds)
            if window is None:
                phase = phase_of(self._seed, bucket, seconds)
                index = math.floor((now - phase) / seconds)
                window = windows[seconds] = Window(seconds, phase, index, limit)
            else:
                window.roll(now)
                window.limit = limit
            opened.append(window)
        return opened


def phase_of(seed: int, bucket: Bucket, seconds: int) -> float:
    """Where in time a bucket's windows begin: the same for a seed, whatever the order of requests."""
    name = f"{seed}/{bucket.account}/{bucket.name}/{seconds}".encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest()) / 2**48 * seconds


def overridden(limits: tuple[int, ...], override: Mapping[str, int]) -> tuple[int, ...]:
    """The limits with some of them replaced. A daily limit can be added to an operation that has none."""
    named = dict(zip(("burst", "steady", "daily"), limits, strict=False)) | dict(override)
    return tuple(named[name] for name in ("burst", "steady", "daily") if name in named)
