"""Buckets, what waits for them, and what holds it up.

A deployment may have tens of thousands of buckets. Those in use are shown one by one, the most urgent first, up to a
limit; the figures of a tier cover every line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import gauge, single
from cli.metrics.scaling import workers_wanted
from worker.governor import BucketLook, Forecast, Look, Pause, forecasts, get_governor
from worker.redis.connection import get_redis
from worker.settings import get_settings
from worker.tiers import DAY_MS, DEFAULT_QUEUE, MINUTE_MS, QUEUES, SECOND_MS, Tier
from worker.transport import Channel

WINDOWS = {SECOND_MS: "second", MINUTE_MS: "minute", DAY_MS: "day"}
LANES = ("now", "bulk", "later")


@dataclass
class InUse:
    """A bucket that is used, blocked or waited for, with the lines that draw on it."""

    bucket: BucketLook
    lines: list[Look] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many tasks wait for it, in all lanes."""
        return sum(count_waiting(each) for each in self.lines)

    @property
    def idle(self) -> bool:
        """Whether nothing is known of it but its limits."""
        used = any(used for used, _, _ in self.bucket.windows)
        return not (used or self.waiting or self.bucket.foreign or self.blocked)

    @property
    def blocked(self) -> bool:
        """Whether a 429 blocks it, or one of its lines."""
        return bool(self.bucket.blocked or any(each.blocked for each in self.lines))

    @property
    def urgency(self) -> tuple[bool, bool, int, float]:
        """Blocked buckets come first, then those that others use too, those for which most wait, and the fullest."""
        share = max((used / limit for used, limit, _ in self.bucket.windows if limit), default=0.0)
        return not self.blocked, not self.bucket.foreign, -self.waiting, -share


def count_waiting(look: Look) -> int:
    """Return how many tasks wait in a line."""
    return look.now + look.bulk + look.later


def read(most: int) -> list[GaugeMetricFamily]:
    """Read what waits, for which budget, and who could carry it out.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    governor = get_governor()
    looks = governor.look(governor.used_lines())
    unread = len(governor.lines()) - len(looks)
    pauses, workers, now = governor.paused(), governor.workers(), governor.now() / 1000
    ready, slots = _ready(), governor.slots()
    # As many slots as a worker has here on average; if none runs, as many as the next one will have.
    each_worker = sum(workers.values()) / len(workers) if workers else get_settings().concurrency
    wanted = workers_wanted(looks, pauses, ready[DEFAULT_QUEUE], each_worker)
    return [
        *of_tiers(looks, slots),
        *of_buckets(looks, now, most, unread, pauses, slots),
        gauge("pause_start_timestamp_seconds", "When somebody, or a worker whose key was refused, paused it.",
              ("what", "cause"), _pauses(pauses[:most])),
        single("pauses", "Accounts, actions and tiers that are paused.", len(pauses)),
        gauge("ready_tasks", "Released tasks that no worker has taken yet.", ("queue",),
              (((queue,), count) for queue, count in ready.items())),
        single("workers", "Workers that were heard of in the last ten seconds.", len(workers)),
        single("worker_slots", "Tasks that they can carry out at once.", sum(workers.values())),
        single("wanted_workers", "Workers that the budgets can feed in the next minute.", wanted),
    ]  # fmt: skip


def _ready() -> dict[str, int]:
    queues = (DEFAULT_QUEUE, *QUEUES)
    pipe = get_redis().pipeline(transaction=False)
    for queue in queues:
        for step in Channel.priority_steps:
            pipe.llen(f"{queue}{Channel.sep}{step}" if step else queue)
    counts = iter(pipe.execute())
    return {queue: sum(next(counts) for _ in Channel.priority_steps) for queue in queues}


def _pauses(pauses: Iterable[Pause]) -> Iterable[tuple[tuple[str, str], float]]:
    # Who paused it, and why, may name a person.
    return (((each.what, "refused_key" if each.key else "operator"), each.since) for each in pauses)


def of_tiers(looks: Iterable[Look], slots: Mapping[str, int]) -> list[GaugeMetricFamily]:
    """Tell what waits in each tier, over all accounts, and who takes it; ``slots``: those of the workers, by queue."""
    counts: dict[tuple[str, str], int] = dict.fromkeys(((tier.name, lane) for tier in Tier for lane in LANES), 0)
    oldest: dict[tuple[str, str], float] = dict.fromkeys(
        ((tier.name, lane) for tier in Tier for lane in LANES[:2]), 0.0
    )
    # An action's own bucket comes first in each of its lines, and every request of it counts there.
    under_way: dict[str, tuple[str, int]] = {}
    for look in looks:
        tier = look.queue.rpartition(".")[2].upper()
        under_way[look.buckets[0].name] = tier, look.buckets[0].flight
        for lane, count in zip(LANES, (look.now, look.bulk, look.later), strict=True):
            counts[tier, lane] += count
        for lane, age in (("now", look.oldest_now), ("bulk", look.oldest_bulk)):
            oldest[tier, lane] = max(oldest[tier, lane], age or 0.0)
    in_flight = {tier.name: sum(count for of, count in under_way.values() if of == tier.name) for tier in Tier}
    return [
        gauge("tier_in_flight_requests", "Requests under way, and those that a worker is about to make.", ("tier",),
              (((tier,), count) for tier, count in in_flight.items())),
        gauge("tier_worker_slots", "Tasks of a tier that workers can carry out at once.", ("tier",),
              (((tier.name,), slots.get(tier.queue, 0)) for tier in Tier)),
        gauge("tier_waiting_tasks", "Tasks of a tier, of all accounts, that wait for budget or for their time.",
              ("tier", "lane"), counts.items()),
        gauge("tier_oldest_waiting_seconds", "How long the oldest of them has been due.",
              ("tier", "lane"), oldest.items()),
    ]  # fmt: skip


def of_buckets(
    looks: Sequence[Look],
    now: float,
    most: int,
    unread: int = 0,
    pauses: Iterable[Pause] = (),
    slots: Mapping[str, int] | None = None,
) -> list[GaugeMetricFamily]:
    """Tell of the most urgent buckets in use, and of their lines; ``now`` is a Unix time.

    ``unread``: idle lines that were not looked at. ``slots`` as `worker.governor.forecasts` takes them.
    """
    known: dict[str, InUse] = {}
    for look in looks:
        for bucket in look.buckets:
            known.setdefault(bucket.name, InUse(bucket)).lines.append(look)
    used = sorted((each for each in known.values() if not each.idle), key=lambda each: each.urgency)
    shown = used[:most]
    lines = list({look.line: look for each in shown for look in each.lines}.values())
    drawn_on = {bucket.name for look in lines for bucket in look.buckets}
    sharing = [look for look in looks if any(bucket.name in drawn_on for bucket in look.buckets)]
    foretold = forecasts(sharing, pauses, slots)
    buckets = [(_named(each.bucket.name), each.bucket) for each in shown]
    windows = [
        ((*name, WINDOWS[length]), used, limit, bucket.foreign if length == MINUTE_MS else 0)
        for name, bucket in buckets
        for used, limit, length in bucket.windows
    ]
    ends = {_named(each.line): each.blocked for each in lines if each.blocked}
    ends |= {name: bucket.blocked for name, bucket in buckets if bucket.blocked}
    states = {
        "blocked": sum(each.blocked for each in used),
        "used": len(used),
        "idle": len(known) - len(used) + unread,
        "left_out": len(used) - len(shown),
    }
    own, windowed, laned = ("account", "bucket"), ("account", "bucket", "window"), ("account", "bucket", "lane")
    return [
        gauge("bucket_used_requests", "Requests that count in a window now, those under way included.", windowed,
              ((name, used) for name, used, _, _ in windows)),
        gauge("bucket_limit_requests", "Requests that Klaviyo allows in a window.", windowed,
              ((name, limit) for name, _, limit, _ in windows)),
        gauge("bucket_free_requests", "Requests that may go now, as far as this window goes.", windowed,
              ((name, max(0, limit - used - others)) for name, used, limit, others in windows)),
        gauge("bucket_others_requests", "Requests of other programs that Klaviyo has counted in its minute.", own,
              ((name, bucket.foreign) for name, bucket in buckets)),
        gauge("bucket_blocked_until_timestamp_seconds", "Until when it is blocked; else no sample.", own,
              ((name, now + seconds) for name, seconds in ends.items())),
        gauge("buckets", "Buckets by state; left_out: in use, but beyond KLAVIYO_METRICS_ROWS.", ("state",),
              (((state,), count) for state, count in states.items())),
        gauge("waiting_tasks", "Tasks that wait for a bucket, or for several at once (named a+b).", laned,
              _waiting(lines)),
        gauge("oldest_waiting_seconds", "How long the oldest of them has been due.", laned,
              (((*_named(each.line), lane), age) for each in lines
               for lane, age in (("now", each.oldest_now), ("bulk", each.oldest_bulk)))),
        gauge("empty_at_timestamp_seconds",
              "When the last of those that are due will have gone, if no more come; no sample where nobody can tell.",
              laned, _empty_at(lines, foretold, now)),
    ]  # fmt: skip


def _empty_at(
    lines: Iterable[Look], foretold: Mapping[str, Forecast], now: float
) -> Iterable[tuple[tuple[str, ...], float]]:
    for each in lines:
        forecast = foretold.get(each.line)
        if forecast is None or forecast.empty is None:
            continue
        if forecast.now is not None:
            yield (*_named(each.line), "now"), now + forecast.now
        if each.bulk:
            yield (*_named(each.line), "bulk"), now + forecast.empty


def _waiting(lines: Iterable[Look]) -> Iterable[tuple[tuple[str, ...], int]]:
    for each in lines:
        for lane, count in zip(LANES, (each.now, each.bulk, each.later), strict=True):
            yield (*_named(each.line), lane), count


def _named(name: str) -> tuple[str, str]:
    """The account and the bucket of a bucket's or a line's name."""
    account, _, bucket = name.partition(":")
    return account, bucket
