"""What a worker counts of its own requests, and the endpoint at which Prometheus reads it.

Imported only if ``KLAVIYO_METRICS_PORT`` is set. What is the same whichever worker one asks, since Redis knows it of
the whole deployment, is at Flower's endpoint (`cli.metrics`).

No label names an account, a record or a task: the number of series is that of the actions that this worker has sent,
times that of the statuses that Klaviyo has answered.
"""

from __future__ import annotations

from typing import Any

import redis
from celery.signals import task_failure
from celery.utils.log import get_logger
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from worker.errors import KlaviyoError
from worker.governor import Look, get_governor
from worker.redis.patience import asking_redis_once
from worker.telemetry.meters import meters

logger = get_logger(__name__)

#: Upper bounds in seconds. Klaviyo answers most requests within a second; the read timeout ends the longest.
LATENCY_BOUNDS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

ATTEMPT_BOUNDS = (1, 2, 3, 5, 10)

#: The label of a failure whose error is not one of `worker.errors`.
OTHER_ERROR = "other"


class WorkerMeter:
    """Counts the requests, the 429s and the failures of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "klaviyo_requests", "Requests by Klaviyo's status, no_answer or no_connection.", ("action", "status"),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "klaviyo_request_duration_seconds", "From sending a request to having read the answer, or to giving up.",
            ("action",), buckets=LATENCY_BOUNDS_S, registry=registry,
        )  # fmt: skip
        self._attempts = Histogram(
            "klaviyo_call_attempts", "Attempts of a call that has ended; a 429 uses none.", ("action",),
            buckets=ATTEMPT_BOUNDS, registry=registry,
        )  # fmt: skip
        self._throttled = Counter(
            "klaviyo_throttled_requests",
            "429s: ours if our own requests exceeded the limit, else others', who draw on the same quota.",
            ("action", "cause"), registry=registry,
        )  # fmt: skip
        self._failures = Counter(
            "klaviyo_task_failures", "Tasks that failed for good, by the class of the error.", ("action", "error"),
            registry=registry,
        )  # fmt: skip

    def request(self, action: str, status: str, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(action, status).inc()
        self._seconds.labels(action).observe(seconds)

    def throttled(self, action: str, line: str) -> None:
        """Count a 429, and find out whose it is, unless Redis is away: the task does not wait for that."""
        try:
            with asking_redis_once():
                look = get_governor().look_at(line)
        except redis.RedisError:
            look = None
        self._throttled.labels(action, cause_of_429(look)).inc()

    def attempts(self, action: str, count: int) -> None:
        """Count the attempts of a call that has ended."""
        self._attempts.labels(action).observe(count)

    def failure(self, sender: Any, exception: BaseException, **_: Any) -> None:
        """Count a task that has failed, as Celery's signal reports it."""
        error = type(exception).__name__ if isinstance(exception, KlaviyoError) else OTHER_ERROR
        self._failures.labels(sender.name.removeprefix("klaviyo."), error).inc()


def cause_of_429(look: Look | None) -> str:
    """Return whose requests have caused a 429, provided that the throttled request still counts as under way.

    The governor never grants more than the limit, so a 429 takes another program that uses the same account. If our own
    count exceeds the limit, either the limit was lowered or we have miscounted.
    """
    if look is None:
        return "unknown"
    over = any(used > limit for bucket in look.buckets for used, limit, _ in bucket.windows)
    return "ours" if over else "others"


def serve(host: str, port: int) -> None:
    """Start to count, and answer Prometheus at this address from a separate thread.

    If the port is taken, for example by another worker on this machine, that is logged, and there are no metrics.
    """
    registry = CollectorRegistry()
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        logger.error(
            "Metrics cannot be served at %s port %d (%s), and the worker runs without them. Give each worker on a "
            "machine its own KLAVIYO_METRICS_PORT.", host, port, error.strerror,
        )  # fmt: skip
        return
    ProcessCollector(registry=registry)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # another series for each, which Prometheus does not use
    meter = WorkerMeter(registry)
    meters.append(meter)
    task_failure.connect(meter.failure, weak=False)
    logger.info("Metrics for Prometheus are at http://%s:%d/metrics.", host, port)
