"""What every part of the governor is built on: its operations, and the one clock that decides."""

from __future__ import annotations

from collections.abc import Callable

import redis

from worker.governor.operations import Operations
from worker.governor.terms import KEY_PREFIX
from worker.redis.patience import waits_for_redis


class ScriptCaller:
    """Calls the operations of the script, by the clock of Redis or of a test."""

    def __init__(self, client: redis.Redis, prefix: str = KEY_PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        operations = Operations(client, prefix, clock)
        self._call, self._call_safely = operations.call, operations.call_safely

    @waits_for_redis
    def now(self) -> int:
        """The time by Redis's clock, in ms since 1970: the one clock that decides."""
        if self._clock:
            return self._clock()
        seconds, micros = self._client.time()
        return int(seconds * 1000 + micros / 1000)
