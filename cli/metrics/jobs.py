"""Klaviyo's asynchronous jobs by kind and state, over all accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily

from cli.jobs.view import ended_badly
from cli.metrics.gauges import gauge
from tasks.jobs.ledger import Job, Unsettled, get_ledger

#: How far back jobs that have ended are counted, and how many at most: the newest ones.
SPAN_S, MAX_JOBS = 86_400, 2_000


def read(most: int) -> list[GaugeMetricFamily]:
    """Read the jobs in progress and those of the last day; ``most`` does not matter, since there are few kinds.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    ledger = get_ledger()
    now = ledger.now()
    return families(ledger.unsettled(), ledger.recent(now - SPAN_S, now, MAX_JOBS), now)


def families(unsettled: Iterable[Unsettled], recent: Iterable[Job], now: float) -> list[GaugeMetricFamily]:
    """Tell how many jobs there are of each kind in each state."""
    counts: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], float] = {}
    for each in unsettled:
        counts[each.kind, each.state] += each.count
        oldest[each.kind, each.state] = max(oldest.get((each.kind, each.state), 0.0), now - each.opened)
    ended = Counter((job.kind, "badly" if ended_badly(job) else "well") for job in recent if job.state == "settled")
    return [
        gauge("jobs", "Jobs whose outcome is not known yet.", ("kind", "state"), counts.items()),
        gauge("oldest_job_seconds", "How long ago the oldest of them was opened.", ("kind", "state"), oldest.items()),
        gauge("settled_jobs", "Jobs that ended in the last day; badly: they, or some of their records, failed.",
              ("kind", "outcome"), ended.items()),
    ]  # fmt: skip
