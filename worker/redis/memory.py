"""Memory in Redis for large results: a task waits for it without holding a thread.

The result of a write is always stored: it is one response at most, and storing it frees the task's message. What was
only read can be read again: its task goes back to its waiting list, and the thread works off small tasks, which frees
memory.
"""

from __future__ import annotations

import math
import time

import orjson

from worker.api.jsonapi import Envelope
from worker.governor import SMALL_RESULT_BYTES, get_governor
from worker.process.state import closing
from worker.redis.patience import RETRY_PAUSE_S

#: Seconds that a thread waits for memory that may be free again at once, and until another thread does the same.
BRIEF_WAIT_S, BRIEF_WAIT_INTERVAL_S = 2.0, 30.0

#: Seconds until a task without room for its result is tried again, at first and at most. Workers try it sooner when
#: there is room again (`Governor.use_room`).
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0

_refused = -math.inf


def has_memory() -> bool:
    """Return True if Redis takes something large now. Only the first of many threads to find it full waits a little."""
    global _refused
    began = time.monotonic()
    patience = BRIEF_WAIT_S if began - _refused >= BRIEF_WAIT_INTERVAL_S else 0.0
    while not get_governor().has_room():
        if time.monotonic() - began >= patience or closing.wait(RETRY_PAUSE_S):
            _refused = time.monotonic()
            return False
    return True


def size_if_large(envelope: Envelope) -> int | None:
    """Return the bytes of a result; None if it is small enough to be stored even when Redis is full."""
    size = len(orjson.dumps(envelope))
    return size if size > SMALL_RESULT_BYTES else None


def full_reason(size: int | None = None) -> str:
    """Return the reason that Flower shows while a task waits for memory."""
    what = f"a result of {size / 1024:,.0f} KB" if size else "its result"
    return f"Redis is full: no room for {what}"


def retry_delay(times: int) -> float:
    """Return the seconds until a task that found no room this many times is tried again."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(times, 30))
