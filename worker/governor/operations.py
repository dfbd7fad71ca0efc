"""The governor's operations as Redis is asked for them, and as replicas confirm them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any

import redis

from worker.governor import under_way
from worker.governor.script import script_of
from worker.governor.terms import KEY_PREFIX
from worker.redis.nodes import ToPrimary, at_new_primary
from worker.redis.replicas import run_confirmed
from worker.settings import get_settings


class Operations:
    """The operations, by their names in the scripts."""

    def __init__(self, client: redis.Redis, prefix: str, clock: Callable[[], int] | None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._scripts: dict[str, Any] = {}

    def call(self, operation: str, *arguments: Any) -> Any:
        """Carry out an operation, and return its answer."""
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

    def call_safely(self, operation: str, *arguments: Any) -> Any:
        """Carry out an operation that writes; it is over once as many replicas have it as the settings ask for.

        Raises:
            NotReplicated: they do not have it in time; the primary does.

        """
        return run_confirmed(self._client, self._script(operation), self._prefix, self._arguments(operation, arguments))

    def _arguments(self, operation: str, arguments: tuple[Any, ...]) -> list[Any]:
        return [operation, self._clock() if self._clock else "", *arguments]


def announce_requests(connection: ToPrimary, primary: str) -> None:
    """Announce to a primary, which may have been a replica until now, the one before it and the requests under way.

    All in one round trip, and the script but once: a worker may have thousands to tell of, and a primary waits for that
    no longer than two seconds until it lets others claim what must not be repeated.
    """
    requests: list[under_way.UnderWay] = []
    settings = get_settings()
    for name in settings.redis_names:
        if settings.redis_called(name) == connection.address:
            requests += under_way.known(None if name == settings.redis_name else name)
    script = script_of("history")  # which is that of `under_way`, too
    sha = sha1(script.encode(), usedforsecurity=False).hexdigest()
    commands = [
        ("EVAL", script, 1, KEY_PREFIX, "history", "", primary),
        *(("EVALSHA", sha, 1, KEY_PREFIX, "under_way", "", *each) for each in requests),
    ]
    packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]
    connection.send_packed_command(packed, check_health=False)
    for _ in commands:
        connection.read_response()


at_new_primary.append(announce_requests)
