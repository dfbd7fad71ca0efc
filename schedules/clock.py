"""The one clock that decides, on whatever machine: Redis's. Those of machines differ."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.jobs.ledger import get_ledger
from worker.patience import asking_redis_once


def present() -> datetime:
    """The present; while Redis is away, this waits."""
    return datetime.fromtimestamp(get_ledger().now(), UTC)


def redis_time() -> datetime:
    """The present, at once or not at all.

    Raises:
        redis.ConnectionError, redis.TimeoutError: Redis is away.

    """
    with asking_redis_once():
        return present()
