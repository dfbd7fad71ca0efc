"""How Python calls the governor's script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from worker.governor.script import script_of
from worker.governor.terms import PREFIX
from worker.patience import waits_for_redis


class ScriptCaller:
    """Calls the operations of the script, by the clock of Redis or of a test."""

    def __init__(self, client: redis.Redis, prefix: str = PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._scripts: dict[str, Any] = {}

    def _call(self, operation: str, *arguments: Any) -> Any:
        script, command = self._script(operation), self._arguments(operation, arguments)
        try:
            return self._answer("EVALSHA", script.sha, 1, self._prefix, *command)
        except redis.exceptions.NoScriptError:  # Redis is new, or was restarted or flushed
            return script([self._prefix], command)

    def _script(self, operation: str) -> Any:
        if operation not in self._scripts:
            self._scripts[operation] = self._client.register_script(script_of(operation))
        return self._scripts[operation]

    def _answer(self, *command: Any) -> Any:
        """What Redis answers: redis-py's own way without its retries and telemetry, which are a third of its cost."""
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_command(*command)  # type: ignore[no-untyped-call]
            return connection.read_response()
        finally:
            pool.release(connection)

    def _arguments(self, operation: str, arguments: tuple[Any, ...]) -> list[Any]:
        return [operation, self._clock() if self._clock else "", *arguments]

    @waits_for_redis
    def now(self) -> int:
        """The time by Redis's clock, in ms since 1970: the one clock that decides."""
        if self._clock:
            return self._clock()
        seconds, micros = self._client.time()
        return int(seconds * 1000 + micros / 1000)
