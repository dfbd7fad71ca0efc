"""The tab Limits: every bucket as `klaviyo limits` shows it, and why a blocked one is blocked."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from cli.dashboard.table import (
    Bar,
    Cell,
    Column,
    Reading,
    Tab,
    clock_or_date,
    count_column,
    duration_column,
    text_column,
)
from cli.limits import NEARLY_USED, USED_UP, Row, describe_pause, rows
from worker.governor import Look, Pause, get_governor
from worker.patience import asking_redis_once


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket. ``until``, a Unix time, is None where it is not blocked; a pause has no end of its own."""

    row: Row
    account: str
    bucket: str
    until: float | None
    why: str

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
    return reading(governor.look(), governor.paused(), time.time())


def reading(looks: Iterable[Look], pauses: list[Pause], now: float) -> Reading[Limit]:
    """Return the buckets at a moment."""
    paused = {each.what: each for each in pauses}
    found = [_limit(row, paused, now) for row in rows(looks)]
    found.sort(key=lambda each: (-each.waiting, each.until is None and not each.why, -each.share))
    return Reading(found, [describe_pause(pause) for pause in pauses])


def _limit(row: Row, paused: dict[str, Pause], now: float) -> Limit:
    account, _, bucket = row.name.partition(":")
    action = bucket.partition("+")[0]
    holding = (
        f"account:{account}", f"action:{account}:{action}", f"action:{action}", f"tier:klaviyo.{row.tier.lower()}"
    )  # fmt: skip
    pause = next((paused[what] for what in holding if what in paused), None)
    why = "Klaviyo answered 429" if row.blocked_seconds else ""
    if pause:
        why = f"paused by {pause.by}: {pause.why}"
    return Limit(row, account, bucket, now + row.blocked_seconds if row.blocked_seconds else None, why)


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


def _tone(share: float) -> str:
    return "text-danger" if share >= USED_UP else "text-warning" if share >= NEARLY_USED else ""


def _blocked(each: Limit) -> Cell:
    if each.until:
        return Cell(clock_or_date(each.until), "text-danger")
    return Cell("until resumed", "text-danger") if each.why else Cell("-")


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
        count_column("Under way", lambda each: each.row.in_flight),
        count_column("Others a minute", lambda each: each.row.others_in_minute, "text-warning"),
        Column("Blocked until", _blocked, lambda each: each.until),
        text_column("Because", lambda each: each.why),
    ),
    lambda each: f"{each.row.name} {each.row.tier} {each.why}",
    "No action has been called through this Redis yet.",
)
