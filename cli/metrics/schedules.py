"""What beat starts, which runs were missed, and how long Klaviyo will answer to our revision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import gauge, single
from cli.retirement import retired_on
from cli.schedules import Row, rows
from schedules.clock import redis_time
from schedules.entries import scheduled_entries
from schedules.entry_runs import load_records
from worker.accounts.lookup import all_accounts
from worker.api.jsonapi import REVISION
from worker.app import app
from worker.redis.connection import get_redis
from worker.settings import get_settings


def read(most: int) -> list[GaugeMetricFamily]:
    """Read every entry of every account, and when beat was last heard of.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    settings = get_settings()
    plan = list(scheduled_entries(settings, all_accounts(settings)))
    now = redis_time()
    found = list(rows(plan, load_records(each.name for each in plan), now))
    lock_ms = int(get_redis().pttl(app.conf.redbeat_lock_key))
    return [single("beat_last_tick_timestamp_seconds", "When the leading beat last looked at its schedule.",
                   last_tick(now, lock_ms, app.conf.redbeat_lock_timeout)), *families(found, most)]  # fmt: skip


def last_tick(now: datetime, lock_ms: int, lasts_s: float) -> float | None:
    """Return when beat renewed its lock, which then lasts for so many seconds; None where nobody holds it."""
    return now.timestamp() - (lasts_s - lock_ms / 1000) if lock_ms > 0 else None


def families(found: Iterable[Row], most: int) -> list[GaugeMetricFamily]:
    """Tell how each entry stands, those that are late or failed first."""
    entries = [row for row in found if row.crontab]
    entries.sort(key=lambda row: (-(row.late_seconds or 0.0), row.state != "failed", row.last_success is not None))
    states = Counter((row.state,) for row in entries)
    retired = datetime.combine(retired_on(REVISION), time(), UTC)
    own = ("account", "entry")
    return [
        gauge("schedule_entries", "Entries of the schedule by the state of their latest run.", ("state",),
              states.items()),
        gauge("schedule_late_seconds", "How long ago the run was due that has not begun; 0 if none is late.", own,
              (((row.account, row.entry), row.late_seconds or 0.0) for row in entries[:most])),
        gauge("schedule_last_success_timestamp_seconds", "When a run of an entry last ended well.", own,
              (((row.account, row.entry), row.last_success.timestamp()) for row in entries[:most] if row.last_success)),
        gauge("schedule_failed", "1 where the latest run of an entry failed.", own,
              (((row.account, row.entry), float(row.state == "failed")) for row in entries[:most])),
        gauge("revision_retirement_timestamp_seconds", "When Klaviyo stops answering to the revision in use.",
              ("revision",), [((REVISION,), retired.timestamp())]),
    ]  # fmt: skip
