"""Exact fixed windows: each bucket admits so many requests per second, minute and day."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

SECOND_S, MINUTE_S, DAY_S = 1, 60, 86_400
PERIODS_S = (SECOND_S, MINUTE_S, DAY_S)
FULL_WINDOWS_KEPT = 10_000
"""Past windows remembered for each period: a week of minutes, nearly three hours of seconds."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What windows belong to. `limits` are per second, per minute and, if there is one, per day."""

    account: str
    name: str
    limits: tuple[int, ...]


@dataclass(slots=True)
class Window:
    """The count of the current window, and those of the full ones before it."""

    seconds: int
    phase: float
    index: int
    limit: int
    count: int = 0
    full: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=FULL_WINDOWS_KEPT))
    whole: bool = False
    """False in the window of the bucket's first use, which may have covered only a part of it."""

    def start(self, index: int) -> float:
        """When the window with this index starts."""
        return self.phase + index * self.seconds

    def roll(self, now: float) -> None:
        """Close every window that has ended by now; unused ones have a count of 0."""
        index = math.floor((now - self.phase) / self.seconds)
        if index <= self.index:
            return
        if self.whole:
            self.full.append((self.start(self.index), self.count))
        for skipped in range(max(self.index + 1, index - FULL_WINDOWS_KEPT), index):
            self.full.append((self.start(skipped), 0))
        self.index, self.count, self.whole = index, 0, True

    def ends_in(self, now: float) -> float:
        """Seconds until the current window ends."""
        return self.start(self.index + 1) - now


@dataclass(frozen=True, slots=True)
class Steady:
    """What the RateLimit-* headers say: the minute window of the operation's own bucket."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Draw:
    """The outcome of charging a request to its buckets. `retry_after` is in seconds, and 0 if it was admitted."""

    retry_after: int
    steady: Steady

    @property
    def admitted(self) -> bool:
        """Whether the request may pass."""
        return self.retry_after == 0


class Windows:
    """The windows of all buckets. Nothing here reads a clock or random numbers: time and seed are passed in."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._windows: dict[tuple[str, str], dict[int, Window]] = {}

    def draw(self, buckets: Sequence[Bucket], now: float) -> Draw:
        """Charge one request to every window of every bucket, or to none if one of them is full."""
        drawn = [window for bucket in buckets for window in self._open(bucket, now)]
        full = [window.ends_in(now) for window in drawn if window.count >= window.limit]
        if not full:
            for window in drawn:
                window.count += 1
        return Draw(max(1, math.ceil(max(full))) if full else 0, self.steady(buckets[0], now))

    def steady(self, bucket: Bucket, now: float) -> Steady:
        """The state of a bucket's minute window."""
        window = self._open(bucket, now)[1]
        return Steady(window.limit, max(0, window.limit - window.count), math.ceil(window.ends_in(now)))

    def report(self, now: float) -> dict[str, dict[str, dict[str, object]]]:
        """By account and bucket: the limit, seconds and phase of each period, and its windows as [start, admitted].

        The window of a bucket's first use is not among the full ones: it was only partly in use.
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
        for seconds, limit in zip(PERIODS_S, bucket.limits, strict=False):
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
    """When a bucket's windows begin: the same for a seed, whatever the order of requests."""
    name = f"{seed}/{bucket.account}/{bucket.name}/{seconds}".encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest()) / 2**48 * seconds


def override_limits(limits: tuple[int, ...], override: Mapping[str, int]) -> tuple[int, ...]:
    """The limits with some of them replaced. A daily limit may be added to an operation that has none."""
    named = dict(zip(("burst", "steady", "daily"), limits, strict=False)) | dict(override)
    return tuple(named[name] for name in ("burst", "steady", "daily") if name in named)
