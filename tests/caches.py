"""What a process keeps of its settings and connections, and forgetting it between two tests."""

from __future__ import annotations

from tasks.jobs import ledger, runs
from worker import connection, governor
from worker.settings import get_settings

CACHES = (
    get_settings,
    connection.get_redis,
    connection.get_publisher,
    governor.get_governor,
    governor.get_publishing_governor,
    ledger.get_ledger,
    runs.get_runs,
)


def forget():
    for opened in (connection.get_redis, connection.get_publisher):
        if opened.cache_info().currsize:
            opened().close()
    for cache in CACHES:
        cache.cache_clear()
