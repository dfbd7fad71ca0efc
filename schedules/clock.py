"""The time by Redis's clock, which all workers and beats share: the clocks of machines differ."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.jobs.ledger import get_ledger
from worker.patience import patiently


def redis_time() -> datetime:
    """Return the time by Redis's clock, in UTC.

    Raises:
        redis.ConnectionError: Redis cannot be reached.

    """
    return datetime.fromtimestamp(get_ledger().now(), UTC)


def current_time() -> datetime:
    """Return the time by Redis's clock, in UTC; wait while Redis cannot be reached."""
    return patiently(redis_time)
