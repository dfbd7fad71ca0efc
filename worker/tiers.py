"""Klaviyo's limits: windows, buckets, tiers and their queues. The one table of numbers that is not at an action.

Klaviyo counts fixed windows per account and endpoint, two or three at once: burst (one second), steady (one
minute) and, for a few operations, one day. Source: https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

SECOND_MS, MINUTE_MS, DAY_MS = 1_000, 60_000, 86_400_000
_UNITS = {"s": SECOND_MS, "m": MINUTE_MS, "d": DAY_MS}

#: Where every task that is not an action runs: syncs, job steps.
DEFAULT_QUEUE = "klaviyo"


class Tier(Enum):
    """Klaviyo's limit classes. The value is the largest steady limit (requests a minute) that belongs to it."""

    XS = 15
    S = 100
    M = 150
    L = 1_500
    XL = 1_000_000

    @property
    def queue(self) -> str:
        """The Celery queue in which the released tasks of this tier wait for a worker."""
        return f"klaviyo.{self.name.lower()}"


QUEUES = tuple(tier.queue for tier in Tier)


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` requests in ``length_ms``."""

    limit: int
    length_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The windows of one bucket, shortest first."""

    windows: tuple[Window, ...]

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read ``"75/s 750/m"`` or ``"1/s 2/m 225/d"``.

        Raises:
            ValueError: where the text is anything else, or has no steady (``/m``) window.

        """
        windows = []
        for word in text.split():
            count, slash, unit = word.partition("/")
            if not (slash and count.isdigit() and int(count) > 0 and unit in _UNITS):
                raise ValueError(f"{text!r} is not a limit: write it like '75/s 750/m' or '1/s 2/m 225/d'")
            windows.append(Window(int(count), _UNITS[unit]))
        windows.sort(key=lambda window: window.length_ms)
        if MINUTE_MS not in [window.length_ms for window in windows]:
            raise ValueError(f"{text!r} has no steady window (requests a minute, '/m')")
        return cls(tuple(windows))

    @property
    def steady(self) -> int:
        """Requests a minute."""
        return next(window.limit for window in self.windows if window.length_ms == MINUTE_MS)

    @property
    def tier(self) -> Tier:
        """Klaviyo's class for this steady limit."""
        return next(tier for tier in Tier if self.steady <= tier.value)

    def __str__(self) -> str:
        names = {length: unit for unit, length in _UNITS.items()}
        return " ".join(f"{window.limit}/{names[window.length_ms]}" for window in self.windows)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a request draws on: a name that is unique within the account, and its windows."""

    name: str
    limits: Limits


#: What `Line` writes, to tell it from what somebody else has made up: the governor takes it apart.
_NAME = re.compile(r"[^\s;=:|]+:[^\s;:|]+")
_SPEC = re.compile(r"klaviyo\.[a-z]+(;[^\s;:|]+:[^\s;:|]+=\d+:\d+(,\d+:\d+)*)+")


def is_line(name: object, spec: object) -> bool:
    """Whether these are the name and the spec of a line."""
    if not (isinstance(name, str) and isinstance(spec, str) and _NAME.fullmatch(name) and _SPEC.fullmatch(spec)):
        return False
    return spec.partition(";")[0] in QUEUES


#: The same for what a call can share a request with, and for the request that carries it (`worker.together.sharing`).
_SHARE = re.compile(r"\d+ \d+ [01] \S+( [^\s=|]+=[^\s|]*)*")
_CARRIER = re.compile(r"\d+ \d+ (\S+) (\S+)")


def is_together(pair: Sequence[object]) -> bool:
    """Whether these are a call's share and the request that would carry it."""
    if len(pair) != 2 or not all(isinstance(each, str) for each in pair) or "|" in str(pair[0]):
        return False
    carrier = _CARRIER.fullmatch(str(pair[1]))
    return bool(_SHARE.fullmatch(str(pair[0])) and carrier and is_line(carrier[1], carrier[2]))


@dataclass(frozen=True)
class Line:
    """A waiting list: the tasks of one account that draw on the same buckets and go to the same queue."""

    account: str
    buckets: tuple[Bucket, ...]

    @cached_property
    def name(self) -> str:
        """``default:get_profile`` or, with an extra bucket, ``default:get_profile+include=lists``."""
        return f"{self.account}:{'+'.join(bucket.name for bucket in self.buckets)}"

    @cached_property
    def queue(self) -> str:
        """The tightest bucket's queue, so that a costly variant does not stand in a fast tier's way."""
        return min((bucket.limits for bucket in self.buckets), key=lambda limits: limits.steady).tier.queue

    @cached_property
    def spec(self) -> str:
        """The line as the governor's script reads it: ``queue;bucket=limit:ms,limit:ms;bucket=…``."""
        parts = [self.queue]
        for bucket in self.buckets:
            windows = ",".join(f"{window.limit}:{window.length_ms}" for window in bucket.limits.windows)
            parts.append(f"{self.account}:{bucket.name}={windows}")
        return ";".join(parts)
