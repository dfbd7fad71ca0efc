"""The worker of the benchmarks: ours with one more action, without limits."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_ready

from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE
from worker.celery import app
from worker.redis.connection import get_redis

__all__ = ["app"]


@action("POST /api/bench", type="bench", limits="1000000/s 1000000/m", scopes="bench:write", repeat=SAFE)
def bench(*, at: float, text: str) -> Envelope:
    """Post a body to a server without limits."""
    ...


@worker_ready.connect
def _ready(**_: Any) -> None:
    get_redis().incr("bench:ready")
