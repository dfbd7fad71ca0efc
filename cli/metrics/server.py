"""Redis itself: how full it is, and what waits for room."""

from __future__ import annotations

from typing import Any

from prometheus_client.core import GaugeMetricFamily

from cli.metrics.gauges import single
from worker.governor import KEY_PREFIX
from worker.redis.connection import get_redis


def read(most: int) -> list[GaugeMetricFamily]:
    """Read how full Redis is; ``most`` does not matter.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    client = get_redis()
    memory: Any = client.info("memory")
    roomless: Any = client.hlen(f"{KEY_PREFIX}roomless")
    return [
        single("redis_used_bytes", "Memory that Redis uses.", memory["used_memory"]),
        single("redis_limit_bytes", "Memory that Redis may use; no sample if there is no limit.",
               memory.get("maxmemory") or None),
        single("roomless_tasks", "Tasks that wait because Redis had no room for their results.", roomless),
    ]  # fmt: skip
