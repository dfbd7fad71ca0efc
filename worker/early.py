"""Leases that were claimed together with the pop of their messages, from there until a thread takes them up.

That saves each task a question to Redis. What becomes of no request gives its lease back unused, so that nobody waits
until it has run out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from worker.governor import Governor

#: Seconds for which such a lease is good: what `control rate_limit` or a long step holds up for longer has to ask anew,
#: so that the lease is there until the answer is.
FRESH_S = 5.0

#: The tasks by their deliveries, and when they came.
_claimed: dict[str, tuple[str, float]] = {}


def note(delivery: str, task_id: str, clock: Callable[[], float] = time.monotonic) -> None:
    """Remember that a delivery came with its lease."""
    _claimed[delivery] = task_id, clock()


def take_up(governor: Governor, delivery: str, task_id: str, clock: Callable[[], float] = time.monotonic) -> bool:
    """Whether this delivery of this task came with its lease; it is asked once. One that is stale is given back."""
    task, at = _claimed.get(delivery, ("", 0.0))
    good = task == task_id and clock() - at <= FRESH_S
    if task and not good:
        governor.release(task, delivery)
    _claimed.pop(delivery, None)
    return good


def give_back(governor: Governor, task_id: str, delivery: str) -> None:
    """A delivery will make no request: return its lease, whether it came with it or has yet to claim it."""
    _claimed.pop(delivery, None)
    governor.release(task_id, delivery)


def give_back_all(governor: Governor) -> None:
    """Return every lease that no thread will take up any more: the worker stops."""
    while _claimed:
        delivery, (task_id, _) = _claimed.popitem()
        governor.release(task_id, delivery)
