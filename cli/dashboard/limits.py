"""The tab Limits: every bucket as `klaviyo limits` shows it, and why a blocked one is blocked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from cli.dashboard.table import Bar, Cell, Column, Reading, Tab, count_column, duration_column, text_column, time_column
from cli.limits import NEARLY_USED, USED_UP, Row, describe_pause, rows
from cli.times import clock
from worker.governor import Look, Pause, get_governor
from worker.patience import asking_redis_once


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket. ``until`` and ``empty_at`` are Unix times: until when it is blocked, and when nothing waits any more.

    Both are None where that is not so, or nobody can tell: a pause has no end of its own.
    """

    row: Row
    account: str
    bucket: str
    until: float | None
    empty_at: float | None

    @property
    def waiting(self) -> int:
        """How many tasks wait, in all lanes."""
        return self.row.now + self.row.bulk + self.row.later

    @property
    def share(self) -> float:
        """How much of its fullest window is used."""
        return max((window["used"] / window["limit"] for window in self.row.windows), default=0.0)


@asking_redis_once()
def read() -> Reading[Limit]:
    """Read every bucket, those with the longest queues first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    governor = get_governor()
    pauses = governor.paused()
    return reading(governor.look(), pauses, time.time(), governor.slots())


def reading(
    looks: Sequence[Look], pauses: Sequence[Pause], now: float, slots: Mapping[str, int] | None = None
) -> Reading[Limit]:
    """Return the buckets at a moment; ``slots`` as `cli.limits.rows` takes them."""
    found = [_limit(row, now) for row in rows(looks, pauses, slots)]
    found.sort(key=lambda each: (-each.waiting, each.until is None and not each.row.why, -each.share))
    return Reading(found, [describe_pause(pause) for pause in pauses])


def _limit(row: Row, now: float) -> Limit:
    account, _, bucket = row.name.partition(":")
    return Limit(
        row,
        account,
        bucket,
        until=now + row.blocked_seconds if row.blocked_seconds else None,
        empty_at=None if row.empty_seconds is None else now + row.empty_seconds,
    )


def _bars(each: Limit) -> Cell:
    return Cell(
        bars=tuple(
            Bar(
                min(window["used"], window["limit"]),
                window["limit"],
                f"{window['used']:,}/{window['limit']:,} {window['per']}",
                _tone(window["used"] / window["limit"]),
            )
            for window in each.row.windows
        )
    )


def _pace(each: Limit) -> Cell:
    return Cell("-" if each.row.per_minute is None else f"{each.row.per_minute:,.0f}")


def _others(each: Limit) -> Cell:
    return Cell(f"{each.row.others_share:.0%}", "text-warning") if each.row.others_share else Cell("-")


def _tone(share: float) -> str:
    return "text-danger" if share >= USED_UP else "text-warning" if share >= NEARLY_USED else ""


def _blocked(each: Limit) -> Cell:
    if each.until:
        return Cell(clock(each.until), "text-danger")
    return Cell("until resumed", "text-danger") if each.row.paused else Cell("-")


TAB = Tab(
    "Limits",
    read,
    (
        Column(
            "Account",
            lambda each: Cell(each.account, link=f"accounts?{urlencode({'search': each.account})}"),
            lambda each: each.account,
        ),
        text_column("Bucket", lambda each: each.bucket),
        text_column("Tier", lambda each: each.row.tier),
        Column("Used", _bars, lambda each: each.share, number=True),
        count_column("Now", lambda each: each.row.now),
        count_column("Bulk", lambda each: each.row.bulk),
        count_column("Later", lambda each: each.row.later),
        duration_column("Oldest", lambda each: each.row.oldest_seconds),
        time_column("Empty at", lambda each: each.empty_at),
        Column("A minute", _pace, lambda each: each.row.per_minute, number=True),
        count_column("Under way", lambda each: each.row.in_flight),
        Column("Others' share", _others, lambda each: each.row.others_share or None, number=True),
        Column("Blocked until", _blocked, lambda each: each.until),
        text_column("Because", lambda each: each.row.why),
    ),
    lambda each: f"{each.row.name} {each.row.tier} {each.row.why}",
    "No action has been called through this Redis yet.",
)
