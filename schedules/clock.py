"""The one clock that decides, on whatever machine: Redis's. Those of machines differ."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.jobs.ledger import get_ledger
from worker.patience import patiently


def redis_time() -> datetime:
    """The present.

    Raises:
        redis.ConnectionError: Redis is away.

    """
    return datetime.fromtimestamp(get_ledger().now(), UTC)


def present() -> datetime:
    """The present; while Redis is away, this waits."""
    return patiently(redis_time)
