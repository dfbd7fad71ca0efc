"""What a user might pick instead of the governor, as Celery tasks: rate_limit, autoretry_for, the official SDK.

    PEER=rate_limit|autoretry|sdk celery -A benchmarks.peers worker

Each account × operation has a task of its own: `rate_limit` ignores arguments, so this is its best case.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import redis
from celery import Celery
from celery.signals import worker_ready

from benchmarks.load import ACCOUNTS, OPERATIONS, PROBE
from benchmarks.plain import BROKER, URL

PEER = os.environ.get("PEER", "autoretry")
BASE = os.environ.get("KLAVIYO_BASE_URL", "http://localhost")

app = Celery("peers", broker=BROKER, backend=BROKER)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_default_queue="peers",
    worker_pool="threads",
    worker_concurrency=int(os.environ.get("KLAVIYO_CONCURRENCY", "32")),
    worker_prefetch_multiplier=4,
    worker_send_task_events=True,
    broker_connection_retry_on_startup=True,
)
_client = httpx.Client(base_url=BASE, timeout=30, headers={"revision": "2026-07-15"})


def get(key: str, path: str, method: str) -> None:
    """One request, with httpx or with the SDK."""
    if PEER == "sdk":
        _sdk(key, method)
        return
    response = _client.get(path, headers={"authorization": f"Klaviyo-API-Key {key}"})
    response.raise_for_status()


def _sdk(key: str, method: str) -> None:
    api, name = method.split(".")
    getattr(getattr(_sdks(key), api), name)()


_made: dict[str, Any] = {}


def _sdks(key: str) -> Any:
    from klaviyo_api import KlaviyoAPI

    if key not in _made:
        made = KlaviyoAPI(key, max_delay=60, max_retries=3)
        made.api_client.configuration.host = BASE
        _made[key] = made
    return _made[key]


def _declare(account: str, key: str, operation: str, path: str, method: str, limit: str) -> Any:
    options: dict[str, Any] = {}
    if PEER == "rate_limit":
        options["rate_limit"] = limit
    if PEER == "autoretry":
        options.update(
            autoretry_for=(httpx.HTTPStatusError,), retry_backoff=True, retry_jitter=True, retry_backoff_max=60,
            max_retries=None,
        )  # fmt: skip

    def task() -> None:
        get(key, path, method)

    return app.task(name=f"peers.{account}.{operation}", **options)(task)  # type: ignore[no-untyped-call]


TASKS = {
    (account, operation): _declare(account, key, operation, path, method, f"{steady}/m")
    for account, key in ACCOUNTS.items()
    for operation, path, method, steady in (*OPERATIONS, PROBE)
}


@worker_ready.connect
def _ready(**_: Any) -> None:
    client = redis.Redis.from_url(URL)
    client.incr("bench:ready")
    client.close()
