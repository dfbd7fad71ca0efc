"""What this process is: a worker or not, and whether it is stopping. `worker.process.shutdown` sets it."""

from __future__ import annotations

import threading

#: Set in a worker process, and once it has begun to stop.
working, closing = threading.Event(), threading.Event()

#: Set if a new worker is to take this process's place when it ends.
restart_requested = threading.Event()

#: Deliveries that Redis has struck off already: acknowledging them is a matter of this process alone.
acknowledged_by_redis: set[str] = set()

#: Deliveries that this process leaves to the next worker: they must not be acknowledged.
left_behind: set[str] = set()
