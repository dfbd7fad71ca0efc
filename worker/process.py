"""What this process is: a worker or not, and whether it is stopping. Set by `worker.shutdown`, looked at everywhere."""

from __future__ import annotations

import threading

#: Set in a worker process, and once it has begun to stop.
working, closing = threading.Event(), threading.Event()

#: Set where a new worker is to take the place of this process when it ends.
anew = threading.Event()

#: Deliveries that are off the record by now: their acknowledgement is for this process alone.
struck: set[str] = set()

#: Deliveries that this process leaves to the next worker: they must not be acknowledged.
left_behind: set[str] = set()
