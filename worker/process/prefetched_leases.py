"""Leases that were claimed when their messages were popped, until a thread takes the messages up.

This saves each task a round trip to Redis. A lease that leads to no request is returned unused, so that nobody has to
wait until it expires.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from worker.governor import Governor, get_governor
from worker.redis.connection import AWAY
from worker.redis.nodes import at_new_primary
from worker.redis.patience import asking_redis_once

#: Seconds for which such a lease can be used. A task that is held up for longer, by `control rate_limit` or by a long
#: step, claims a new one, so that the lease outlives the request.
FRESH_S = 5.0

#: By delivery: its task, and when it arrived.
_leases: dict[str, tuple[str, float]] = {}

#: By delivery: the task whose lease a thread has taken up.
_begun: dict[str, str] = {}


def remember_lease(delivery: str, task_id: str, clock: Callable[[], float] = time.monotonic) -> None:
    """Remember that a delivery came with its lease."""
    _leases[delivery] = task_id, clock()


def take_lease(governor: Governor, delivery: str, task_id: str, clock: Callable[[], float] = time.monotonic) -> bool:
    """Return True if this delivery of this task came with a lease that is still fresh; a stale one is returned.

    A lease can be taken once.
    """
    task, at = _leases.get(delivery, ("", 0.0))
    good = task == task_id and clock() - at <= FRESH_S
    if task and not good:
        governor.release(task, delivery)
    _leases.pop(delivery, None)
    if good:
        _begun[delivery] = task_id
    return good


def begun(deliveries: Sequence[str]) -> dict[str, str]:
    """Return these deliveries, which are all that are held, each with the task whose lease was taken, or ""."""
    held = {each: _begun.get(each, "") for each in deliveries}
    for over in [each for each in list(_begun) if each not in held]:
        _begun.pop(over, None)
    return held


def return_lease(governor: Governor, task_id: str, delivery: str) -> None:
    """Return the lease of a delivery that will make no request, whether it is prefetched or yet to be claimed."""
    _leases.pop(delivery, None)
    governor.release(task_id, delivery)


def return_all(governor: Governor) -> None:
    """Return every lease that no thread will take any more, because the worker stops."""
    while _leases:
        delivery, (task_id, _) = _leases.popitem()
        governor.release(task_id, delivery)


def return_unclaimed(request: Any, **_: Any) -> None:
    """Return the lease of a task that has expired or was revoked: it will never claim it.

    A receiver of Celery's signal `task_revoked`. While Redis is away, the lease expires by itself.
    """
    with contextlib.suppress(*AWAY), asking_redis_once():
        return_lease(get_governor(), request.id, request.message.delivery_tag)
        get_governor().done(request.id)


# Another primary may not know of them; whoever takes such a message up asks it.
at_new_primary.append(lambda connection, primary: _leases.clear())
