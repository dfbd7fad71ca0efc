"""The one Redis client of this process. Nothing connects at import."""

from __future__ import annotations

from functools import lru_cache

import redis

from worker.settings import get_settings

#: What says that Redis cannot take a command now, but will: away, loading, full, or a replica until the failover ends.
AWAY = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
)

#: Seconds, where the address sets no others: to connect, for an answer, and without use until a connection is tried.
WAITING = {"socket_connect_timeout": 5, "socket_timeout": 30, "health_check_interval": 30}


@lru_cache(maxsize=1)
def get_redis() -> redis.Redis:
    """A thread-safe client; its connections are made at the first command."""
    address = get_settings().redis
    return redis.Redis.from_url(address.url, **{**WAITING, **address.keywords}, retry_on_timeout=False)
