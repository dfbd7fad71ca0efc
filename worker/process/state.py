"""What this process is: a worker or not, and whether it is stopping. `worker.process.shutdown` sets it."""

from __future__ import annotations

import threading

#: ``working`` is set in a worker's process, ``closing`` once it has begun to stop.
working, closing = threading.Event(), threading.Event()

#: Set if a new worker is to take this process's place when it ends.
restart_requested = threading.Event()

#: Deliveries that Redis has already struck off: only this process still has to acknowledge them.
acknowledged_by_redis: set[str] = set()

#: Deliveries that this process leaves to the next worker: they must not be acknowledged.
left_behind: set[str] = set()
