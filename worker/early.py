"""Leases that were claimed together with the pop of their messages, from there until a thread takes them up.

That saves each task a question to Redis. What becomes of no request gives its lease back unused, so that nobody waits
until it has run out.
"""

from __future__ import annotations

from worker.governor import Governor

#: The tasks by their deliveries.
_claimed: dict[str, str] = {}


def note(delivery: str, task_id: str) -> None:
    """Remember that a delivery came with its lease."""
    _claimed[delivery] = task_id


def take_up(delivery: str, task_id: str) -> bool:
    """Whether this delivery of this task came with its lease; it is asked once."""
    return _claimed.pop(delivery, None) == task_id


def give_back(governor: Governor, task_id: str, delivery: str) -> None:
    """A delivery will make no request: return its lease, whether it came with it or has yet to claim it."""
    _claimed.pop(delivery, None)
    governor.release(task_id, delivery)


def give_back_all(governor: Governor) -> None:
    """Return every lease that no thread will take up any more: the worker stops."""
    while _claimed:
        delivery, task_id = _claimed.popitem()
        governor.release(task_id, delivery)
