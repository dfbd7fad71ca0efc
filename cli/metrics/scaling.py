"""How many workers the budgets can feed. Pure.

How much waits does not tell: a hundred thousand tasks behind a limit of 15 a minute keep one thread busy now and then.
What counts is how many of them Klaviyo's windows let go in the next minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from worker.governor import BucketLook, Look, Pause
from worker.pauses import holders
from worker.tiers import MINUTE_MS

#: Seconds for which a request takes up a slot, and requests a second that one worker manages, however many slots it
#: has. Both are cautious, so that there are too many workers rather than too few.
REQUEST_S, WORKER_REQUESTS_PER_S = 0.5, 300.0


def workers_wanted(looks: Iterable[Look], pauses: Iterable[Pause], ready: int, slots: float) -> int:
    """Return how many workers, each with ``slots``, have work in the next minute; 0 if nothing may go.

    ``ready``: tasks that need no budget and wait for a worker.
    """
    paused = {each.what for each in pauses}
    left: dict[str, float] = {}
    going = float(ready)
    for look in looks:
        if not look.now + look.bulk or paused & holders(look.line, look.queue):
            continue
        for bucket in look.buckets:
            left.setdefault(bucket.name, minute_budget(bucket))
        open_for = max(0.0, 60.0 - look.blocked) / 60
        fed = min(look.now + look.bulk, *(left[bucket.name] * open_for for bucket in look.buckets))
        for bucket in look.buckets:
            left[bucket.name] -= fed
        going += fed
    return math.ceil(max(going * REQUEST_S / slots, going / WORKER_REQUESTS_PER_S) / 60)


def minute_budget(bucket: BucketLook) -> float:
    """Return how many requests may go in the next minute. A minute's window begins anew within it, a day's does not."""
    budgets = [
        max(0, limit - used)
        if length > MINUTE_MS
        else (limit - bucket.foreign * (length == MINUTE_MS)) * MINUTE_MS / length
        for used, limit, length in bucket.windows
    ]
    return max(0.0, min(budgets)) * max(0.0, 60.0 - bucket.blocked) / 60
