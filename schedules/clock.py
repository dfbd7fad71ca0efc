"""The time by Redis's clock, which all workers and beats share: the clocks of machines differ."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.jobs.ledger import get_ledger
from worker.redis.patience import asking_redis_once


def current_time() -> datetime:
    """Return the time by Redis's clock, in UTC; wait while Redis cannot be reached."""
    return datetime.fromtimestamp(get_ledger().now(), UTC)


def redis_time() -> datetime:
    """Return the time by Redis's clock, in UTC, without waiting.

    Raises:
        redis.ConnectionError, redis.TimeoutError: Redis cannot be reached.

    """
    with asking_redis_once():
        return current_time()
