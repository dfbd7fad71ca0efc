"""How long to wait before a request is sent again, after each kind of failure."""

from __future__ import annotations

import random
from collections.abc import Callable

from worker.errors import Throttled
from worker.settings import Settings

#: Seconds without requests after a 429 that has no usable Retry-After.
DEFAULT_RETRY_AFTER_S = 5.0


def backoff(preceding: int, settings: Settings, pick: Callable[[float, float], float] = random.uniform) -> float:
    """Return the seconds to wait after a failure that this many preceded: exponential, with full jitter."""
    longest = min(settings.backoff_max_seconds, settings.backoff_seconds * 2 ** min(preceding, 30))
    return pick(0, longest)


def retry_after(throttled: Throttled) -> float:
    """Return the seconds to wait after a 429. A Retry-After of 0 means at once."""
    return DEFAULT_RETRY_AFTER_S if throttled.retry_after is None else max(throttled.retry_after, 0.0)
