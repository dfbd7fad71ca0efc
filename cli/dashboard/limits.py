"""The tab Limits: every bucket as `klaviyo limits` shows it, and why a blocked one is blocked."""

from __future__ import annotations

import math
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from urllib.parse import quote, urlencode

from cli.dashboard.looks import Looks
from cli.dashboard.table import (
    Bar,
    Cell,
    Column,
    Reading,
    Tab,
    clock_or_date,
    count_column,
    duration_column,
    minor,
    text_column,
    time_column,
)
from cli.limits import NEARLY_USED, UNITS, USED_UP, Row, describe_pause, rows
from worker.governor import Look, Pause, get_governor
from worker.governor.forecast import until_next
from worker.one_per_process import one_per_redis
from worker.redis.absence import without_those_away
from worker.redis.homes import ask_each, here
from worker.redis.patience import asking_redis_once
from worker.tiers import MINUTE_MS

#: The most accounts of which it is said above the table how many tasks wait.
MAX_ACCOUNTS = 6

#: The most pauses that are named above the table; the most buckets named there because other programs take so large a
#: share of them.
MAX_PAUSES, MAX_NAMED_BUCKETS, MIN_NAMED_SHARE = 5, 3, 0.1

#: How many characters of the reason why a bucket stands still fit into its row.
MAX_REASON_CHARACTERS = 120

#: The lengths of windows, in words.
PERIODS = {"s": "second", "m": "minute", "d": "day"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket. ``until`` and ``empty_at`` are Unix times: until when it is blocked, and when nothing waits any more.

    Both are None where that is not so, or nobody can tell: a pause has no end of its own. ``lines``: those that draw on
    it, from which all this follows. ``share``: how much of its fullest window is used. ``words``: what a search
    looks in. ``redis``: the name of the one that has it. ``full``: the window that keeps what waits, minute or day;
    empty where none does. ``next_at``: by when it lets the next one go (Unix time), where that is known.
    """

    row: Row
    account: str
    bucket: str
    lines: Sequence[str]
    until: float | None
    empty_at: float | None
    share: float
    words: str
    redis: str
    full: str = ""
    next_at: float | None = None

    @property
    def waiting(self) -> int:
        """How many tasks wait, in all lanes."""
        return self.row.now + self.row.bulk + self.row.later


class Overview:
    """The rows of all buckets. Those of an account are made anew only where one of its lines has changed."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Sequence[Look], Sequence[Limit]]] = {}
        self._under: object = None

    def reading(
        self, looks: Iterable[Look], pauses: Sequence[Pause], now: float, slots: Mapping[str, int]
    ) -> Reading[Limit]:
        """Return every bucket, those with the longest queues first, and what is said above the table."""
        under = ({(each.what, each.by, each.why) for each in pauses}, slots)
        made = self._made if under == self._under else {}
        # Lines share the buckets of one account only, which is not always their own: that of the first of its company.
        owned: defaultdict[str, list[Look]] = defaultdict(list)
        for look in looks:
            owned[look.buckets[0].name.partition(":")[0]].append(look)
        self._made = {
            account: before
            if (before := made.get(account)) and _same(before[0], found)
            else (found, limits_of(found, pauses, now, slots))
            for account, found in owned.items()
        }
        self._under = under
        rows = [row for _, limits in self._made.values() for row in limits]
        return Reading(
            sorted(rows, key=urgency), describe_pauses(pauses), [*count_by_account(rows), *name_others_buckets(rows)]
        )


def _same(before: Sequence[Look], now: Sequence[Look]) -> bool:
    return len(before) == len(now) and all(map(operator.is_, before, now))


get_looks, get_overview = one_per_redis(Looks), one_per_redis(Overview)


@asking_redis_once()
def read() -> Reading[Limit]:
    """Read every bucket, those with the longest queues first.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    governor = get_governor()
    pauses, slots = governor.paused(), governor.slots()
    return get_overview().reading(get_looks().read(governor), pauses, time.time(), slots)


@asking_redis_once()
def refresh(shown: Sequence[Limit]) -> list[Limit]:
    """Read some buckets anew, with the lines that share them.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    lines: defaultdict[str, set[str]] = defaultdict(set)
    for each in shown:
        lines[each.redis].update(each.lines)
    # The next reading says what is away.
    with without_those_away():
        read = ask_each(lambda: _read_anew(lines[here()]))
    anew = {(name, each.row.name): each for name, found in read.items() for each in found}
    return [anew.get((each.redis, each.row.name), each) for each in shown]


def _read_anew(lines: set[str]) -> list[Limit]:
    if not lines:
        return []
    governor = get_governor()
    looks = get_looks().read_anew(governor, lines)
    return limits_of(looks, governor.paused(), time.time(), governor.slots())


def limits_of(
    looks: Sequence[Look], pauses: Sequence[Pause], now: float, slots: Mapping[str, int] | None = None
) -> list[Limit]:
    """Return the buckets of some lines at a moment; ``slots`` as `cli.limits.rows` takes them."""
    sharing: dict[str, list[str]] = {}
    for look in looks:
        for bucket in look.buckets:
            sharing.setdefault(bucket.name, []).append(look.line)
    lines = sharing | {
        look.line: [line for bucket in look.buckets for line in sharing[bucket.name]]
        for look in looks
        if look.line not in sharing
    }
    full = {look.line: _full_window(look) for look in looks if look.now + look.bulk}
    return [_limit(row, now, lines[row.name], full.get(row.name)) for row in rows(looks, pauses, slots)]


def urgency(each: Limit) -> tuple[int, bool, float]:
    """The longest queue comes first, then what stands still, and the fullest window."""
    return -each.waiting, each.until is None and not each.row.why, -each.share


def describe_pauses(pauses: Sequence[Pause]) -> list[str]:
    """Say what is paused, by whom and why."""
    sentences = [describe_pause(pause) for pause in pauses[:MAX_PAUSES]]
    if more := len(pauses) - len(sentences):
        sentences.append(f"{more:,} more {'is' if more == 1 else 'are'} paused: `klaviyo limits` lists them all.")
    return sentences


def name_others_buckets(limits: Iterable[Limit]) -> list[Cell]:
    """Name the buckets of which other programs take most."""
    found = sorted(
        (each for each in limits if each.row.others_share >= MIN_NAMED_SHARE), key=lambda each: -each.row.others_share
    )
    return [
        Cell(
            f"{each.account}: another program takes {each.row.others_share:.0%} of {each.bucket}",
            "text-warning",
            link=f"limits?{urlencode({'search': each.row.name})}",
        )
        for each in found[:MAX_NAMED_BUCKETS]
    ]


def count_by_account(limits: Iterable[Limit]) -> list[Cell]:
    """Say how many tasks wait for each account and until when, those with the most first; each leads to its buckets."""
    waited: defaultdict[str, list[Limit]] = defaultdict(list)
    for each in limits:
        if each.row.now + each.row.bulk:
            waited[each.account].append(each)
    counts = {account: sum(each.row.now + each.row.bulk for each in found) for account, found in waited.items()}
    order = sorted(counts, key=lambda account: (-counts[account], account))
    cells = [
        Cell(
            f"{account}: {counts[account]:,} waiting, {_until(waited[account])}",
            "text-danger" if any(_stands_still(each) for each in waited[account]) else "",
            link=f"limits?{urlencode({'search': f'{account}:'})}",
        )
        for account in order[:MAX_ACCOUNTS]
    ]
    if rest := order[MAX_ACCOUNTS:]:
        others = f"{len(rest):,} other account{'' if len(rest) == 1 else 's'}"
        cells.append(Cell(f"{others}: {sum(counts[account] for account in rest):,} waiting"))
    return cells


def _stands_still(each: Limit) -> bool:
    return each.empty_at is None


def _until(waited: Sequence[Limit]) -> str:
    """Until when these wait; of those that stand still, nobody can tell."""
    ends = [each.empty_at for each in waited if each.empty_at is not None]
    still = sum(each.row.now + each.row.bulk for each in waited if _stands_still(each))
    goes = f"empty at {clock_or_date(max(ends))}" if ends else ""
    if not still:
        return goes
    if goes:
        return f"{goes}, but {still:,} of them {'stands' if still == 1 else 'stand'} still"
    return "paused" if all(each.row.paused for each in waited) else "all of which stand still"


def _full_window(look: Look) -> tuple[str, float] | None:
    """Return which window keeps a line waiting, the longest that is full, and for how many more seconds."""
    full = [
        length
        for bucket in look.buckets
        for used, limit, length in bucket.windows
        if length >= MINUTE_MS and used >= limit - (bucket.foreign if length == MINUTE_MS else 0)
    ]
    if not full or max(full) not in UNITS:
        return None
    return PERIODS[UNITS[max(full)]], max(map(until_next, look.buckets))


def _limit(row: Row, now: float, lines: Sequence[str], full: tuple[str, float] | None) -> Limit:
    account, _, bucket = row.name.partition(":")
    return Limit(
        row,
        account,
        bucket,
        lines,
        until=now + row.blocked_seconds if row.blocked_seconds else None,
        empty_at=None if row.empty_seconds is None else now + row.empty_seconds,
        share=max((window["used"] / window["limit"] for window in row.windows), default=0.0),
        words=f"{row.name} {row.tier} {row.why}",
        redis=here(),
        full=full[0] if full else "",
        next_at=now + full[1] if full and math.isfinite(full[1]) else None,
    )


def _bars(each: Limit) -> Cell:
    return Cell(
        bars=tuple(
            Bar(
                min(window["used"], window["limit"]),
                window["limit"],
                f"{window['used']:,} of {window['limit']:,} a {PERIODS.get(window['per'], window['per'])}",
                _tone(window["used"] / window["limit"]),
            )
            for window in each.row.windows
        )
    )


def _pace(each: Limit) -> Cell:
    return Cell("-" if each.row.per_minute is None else f"{each.row.per_minute:,.0f}")


def _others(each: Limit) -> Cell:
    """What the governor leaves out of the minute for other software, as Klaviyo's latest answer told it."""
    minute = next((window["limit"] for window in each.row.windows if window["per"] == "m"), 0)
    if not each.row.others_share:
        return Cell("-")
    count = f"about {each.row.others_in_minute:,} of {minute:,} a minute"
    return Cell(f"{each.row.others_share:.0%}, {count}", "text-warning")


def _tone(share: float) -> str:
    return "text-danger" if share >= USED_UP else "text-warning" if share >= NEARLY_USED else ""


def _blocked(each: Limit) -> Cell:
    """Until when a bucket stands still, and why; what to do then is said above the table."""
    reason = each.row.why.partition(" is ")[2] if each.row.paused else each.row.why
    why = shorten(reason, MAX_REASON_CHARACTERS, placeholder=" …")
    whole = reason if why.endswith(" …") else ""
    if each.until and not each.row.paused:
        return Cell(f"until {clock_or_date(each.until)}: {why}", "text-danger", whole=whole)
    if each.full and not why:
        # The times of answers are known in parts only: the next request goes no later than the first of these.
        return Cell(f"{each.full} full" + (f", next by {clock_or_date(each.next_at)}" if each.next_at else ""))
    return Cell(why or "-", "text-danger" if each.row.paused else "", whole=whole)


def _tasks(lane: str) -> Callable[[Limit], str]:
    """The page with exactly the tasks that are counted, whatever Celery calls their state."""
    return lambda each: f"waiting/{quote(each.row.name, safe='')}?lane={lane}"


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
        minor(text_column("Tier", lambda each: each.row.tier)),
        Column("Used", _bars, lambda each: each.share, number=True),
        count_column("Now", lambda each: each.row.now, link=_tasks("now")),
        count_column("Bulk", lambda each: each.row.bulk, link=_tasks("bulk")),
        minor(count_column("Later", lambda each: each.row.later, link=_tasks("later"))),
        duration_column("Oldest", lambda each: each.row.oldest_seconds),
        time_column("Empty at", lambda each: each.empty_at),
        minor(Column("Per minute", _pace, lambda each: each.row.per_minute, number=True)),
        minor(count_column("Under way", lambda each: each.row.in_flight)),
        Column("Others' share", _others, lambda each: each.row.others_share or None, number=True),
        Column("Blocked", _blocked, lambda each: each.until),
    ),
    lambda each: each.words,
    "No action has been called through this Redis yet.",
    refresh,
    legend={
        "Tier": "XS to XL, by how many requests a minute Klaviyo allows; each has a queue of its own",
        "Now": "waiting in the lane for what is urgent",
        "Bulk": "waiting in the lane for what can wait: what is in Now goes first",
        "Later": "tasks of both lanes whose time has not come",
        "Under way": "with a worker, and not answered yet",
        "Others' share": "percent of a minute's limit that other programs with access to the same Klaviyo account "
        "have used in Klaviyo's current minute, by its latest answer. It changes from minute to minute, and the "
        "workers leave that much room. If that is too much, slow the other program down: Klaviyo lists all keys at "
        "Settings → API keys",
    },
    everywhere=True,
    order=urgency,
)
