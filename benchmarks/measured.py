"""The worker of the benchmarks: ours with one more action, without limits, and with the governor's calls timed."""

from __future__ import annotations

import time
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE
from worker.celery import app
from worker.connection import get_redis
from worker.governor import Governor

__all__ = ["app"]


@action("POST /api/bench", type="bench", limits="1000000/s 1000000/m", scopes="bench:write", repeat=SAFE)
def bench(*, at: float, text: str) -> Envelope:
    """Post a body to a server without limits."""
    ...


#: Milliseconds that each claim of a lease took.
claims_ms: list[float] = []
_call = Governor._call


def _timed(self: Governor, operation: str, *arguments: Any, pipe: Any = None) -> Any:
    start = time.perf_counter()
    try:
        return _call(self, operation, *arguments, pipe=pipe)
    finally:
        if operation == "claim":
            claims_ms.append((time.perf_counter() - start) * 1000)


Governor._call = _timed  # type: ignore[method-assign]


@worker_ready.connect
def _ready(**_: Any) -> None:
    get_redis().incr("bench:ready")


@worker_shutting_down.connect
def _report(**_: Any) -> None:
    if claims_ms:
        get_redis().rpush("bench:claims_ms", *claims_ms)
