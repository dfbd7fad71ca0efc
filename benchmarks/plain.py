"""What a user would write instead: a plain Celery task on the stock transport that posts the same body with httpx.

    PLAIN_CLIENTS=thread PLAIN_POOL=prefork celery -A benchmarks.plain worker

By default its threads share one client, as a module's global is shared; `PLAIN_CLIENTS=thread` gives each its own.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import httpx
import redis
from celery import Celery
from celery.signals import worker_ready

URL = os.environ.get("KLAVIYO_REDIS_URL", "")
BROKER = f"redis+socket://{URL.removeprefix('unix://').partition('?')[0]}" if URL.startswith("unix") else URL

app = Celery("plain", broker=BROKER, backend=BROKER)
app.conf.update(
    task_acks_late=True,
    task_default_queue="plain",
    worker_pool=os.environ.get("PLAIN_POOL", "threads"),
    worker_concurrency=int(os.environ.get("KLAVIYO_CONCURRENCY", "32")),
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    broker_connection_retry_on_startup=True,
)


def _made() -> httpx.Client:
    return httpx.Client(base_url=os.environ.get("KLAVIYO_BASE_URL", "http://localhost"), timeout=30)


_shared = None if os.environ.get("PLAIN_CLIENTS") == "thread" else _made()
_own = threading.local()


def _client() -> httpx.Client:
    if _shared is not None:
        return _shared
    if not hasattr(_own, "client"):
        _own.client = _made()
    client: httpx.Client = _own.client
    return client


@app.task(name="plain.bench")  # type: ignore[untyped-decorator,unused-ignore]
def bench(at: float, text: str) -> Any:
    """Post the body that the action posts."""
    document = {"data": {"type": "bench", "attributes": {"at": at, "text": text}}}
    response = _client().post("/api/bench", json=document, headers={"authorization": "Klaviyo-API-Key pk"})
    response.raise_for_status()
    return response.json()


@worker_ready.connect
def _ready(**_: Any) -> None:
    client = redis.Redis.from_url(URL)
    client.incr("bench:ready")
    client.close()
