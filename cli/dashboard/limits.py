"""The tab Limits: every bucket as `klaviyo limits` shows it, and why a blocked one is blocked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    time_column,
)
from cli.limits import NEARLY_USED, USED_UP, Row, describe_pause, rows
from worker.governor import BucketLook, Governor, Look, Pause, get_governor
from worker.one_per_process import one_per_redis
from worker.patience import asking_redis_once
from worker.redis.homes import at_redis, everywhere, home_of

#: How many lines' windows are counted in one reading.
LOOKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket. ``until`` and ``empty_at`` are Unix times: until when it is blocked, and when nothing waits any more.

    Both are None where that is not so, or nobody can tell: a pause has no end of its own. ``lines``: those that draw on
    it, from which all this follows.
    """

    row: Row
    account: str
    bucket: str
    lines: Sequence[str]
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


class Looks:
    """What is known of every line: who waits is read each time, the windows of so many lines at a time, in turn.

    So it is soon there, and costs Redis little however many lines there are; what a visitor sees is read anew.
    """

    def __init__(self, most: int = LOOKED_AT_ONCE) -> None:
        self._most = most
        self._known: dict[str, Look] = {}
        self._seen_to = ""

    def read(self, governor: Governor) -> list[Look]:
        """Return every line."""
        counts = governor.counts()
        names = sorted(counts)
        due = [name for name in names if name > self._seen_to][: self._most]
        due += names[: min(self._most - len(due), len(names) - len(due))]
        self._seen_to = due[-1] if due else ""
        known = self._known | {look.line: look for look in governor.look(due)}
        self._known = {line: _counted(line, known.get(line), count) for line, count in counts.items()}
        return list(self._known.values())


def _counted(line: str, known: Look | None, counts: tuple[int, int, int]) -> Look:
    if known is None:
        return Look(line, "", *counts, None, 0.0, (BucketLook(line, (), 0, 0, 0.0),))
    if (known.now, known.bulk, known.later) == counts:
        return known
    return replace(known, now=counts[0], bulk=counts[1], later=counts[2])


get_looks = one_per_redis(Looks)


@asking_redis_once()
def read() -> Reading[Limit]:
    """Read every bucket, those with the longest queues first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    governor = get_governor()
    pauses = governor.paused()
    return reading(get_looks().read(governor), pauses, time.time(), governor.slots())


@asking_redis_once()
def refresh(shown: Sequence[Limit]) -> list[Limit]:
    """Read some buckets anew, with the lines that share them.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    lines: dict[str, set[str]] = {}
    for each in shown:
        lines.setdefault(each.account, set()).update(each.lines)
    anew: dict[str, Limit] = {}
    for name in everywhere():
        if here := {line for account, some in lines.items() if home_of(account) == name for line in some}:
            with at_redis(name):
                governor = get_governor()
                found = reading(governor.look(here), governor.paused(), time.time(), governor.slots())
            anew |= {each.row.name: each for each in found.rows}
    return [anew.get(each.row.name, each) for each in shown]


def reading(
    looks: Sequence[Look], pauses: Sequence[Pause], now: float, slots: Mapping[str, int] | None = None
) -> Reading[Limit]:
    """Return the buckets at a moment; ``slots`` as `cli.limits.rows` takes them."""
    sharing: dict[str, list[str]] = {}
    for look in looks:
        for bucket in look.buckets:
            sharing.setdefault(bucket.name, []).append(look.line)
    lines = sharing | {
        look.line: [line for bucket in look.buckets for line in sharing[bucket.name]]
        for look in looks
        if len(look.buckets) > 1
    }
    found = [_limit(row, now, lines[row.name]) for row in rows(looks, pauses, slots)]
    found.sort(key=lambda each: (-each.waiting, each.until is None and not each.row.why, -each.share))
    return Reading(found, [describe_pause(pause) for pause in pauses])


def _limit(row: Row, now: float, lines: Sequence[str]) -> Limit:
    account, _, bucket = row.name.partition(":")
    return Limit(
        row,
        account,
        bucket,
        lines,
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
        return Cell(clock_or_date(each.until), "text-danger")
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
    refresh,
    everywhere=True,
)
