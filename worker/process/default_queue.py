"""Calls of ours in Celery's default queue, which gets whatever an application sends without naming a queue. Pure.

Our workers do not read that queue, since it holds other applications' tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import orjson

from worker.account_and_lane import TASK_PREFIX

#: Celery's default queue, and how many of its messages are examined.
QUEUE, MAX_MESSAGES = "celery", 1_000


def count_calls(messages: Iterable[bytes]) -> Counter[str]:
    """Count the calls of our tasks among messages of any application."""
    return Counter(name for message in messages if (name := _task(message)).startswith(TASK_PREFIX))


def _task(message: bytes) -> str:
    try:
        return str(orjson.loads(message)["headers"]["task"])
    except (ValueError, KeyError, TypeError):
        return ""


def describe(found: Counter[str]) -> str:
    """Return a sentence or two on what lies there and what to do."""
    names = ", ".join(f"{name} × {count}" for name, count in found.most_common(3))
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"{names}{more} in the queue {QUEUE!r}, which no worker of ours reads. Name the queue where they are sent: "
        'queue="klaviyo", or task_routes = {"klaviyo.*": {"queue": "klaviyo"}}.'
    )
