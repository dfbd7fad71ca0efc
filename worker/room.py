"""Room in Redis for a large result, which waits for memory without holding a thread.

What Klaviyo has carried out is told, however large its result is: that is no more than Klaviyo answers to one request,
and its message is freed with it. What has only been read can be read again: its task goes back to its waiting list, and
the thread works off the small ones, which free memory.
"""

from __future__ import annotations

import math
import time

import orjson

from worker.api.jsonapi import Envelope
from worker.governor import SMALL_RESULT, get_governor
from worker.patience import RETRY_PAUSE_S
from worker.process import closing

#: Seconds for which a thread waits for memory that may come back at once, and after which one does so again.
BRIEF_WAIT_S, BRIEF_WAIT_INTERVAL_S = 2.0, 30.0

#: Seconds until a task is tried again for which there was no room, at first and at most. Workers see to it that it is
#: tried sooner when there is room again (`Governor.use_room`).
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0

_refused = -math.inf


def room() -> bool:
    """Return True if Redis takes something large now. Of many threads only the first to find it full waits a little."""
    global _refused
    began = time.monotonic()
    patience = BRIEF_WAIT_S if began - _refused >= BRIEF_WAIT_INTERVAL_S else 0.0
    while not get_governor().has_room():
        if time.monotonic() - began >= patience or closing.wait(RETRY_PAUSE_S):
            _refused = time.monotonic()
            return False
    return True


def large(envelope: Envelope) -> int | None:
    """The bytes of a result that needs room; None where it is small enough to be stored whatever Redis says."""
    size = len(orjson.dumps(envelope))
    return size if size > SMALL_RESULT else None


def no_room(size: int | None = None) -> str:
    """Why a task waits again."""
    what = f"a result of {size / 1024:,.0f} KB" if size else "its result"
    return f"Redis is full: no room for {what}"


def pause(times: int) -> float:
    """Seconds until a task is tried again for whose result there was no room so many times before."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(times, 30))
