"""The governor, as Python calls it: one method for each operation of governor.lua."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import redis

from worker.connection import get_redis
from worker.jsonapi import Quota

PREFIX = "klaviyo:"
SCRIPT = resources.files(__package__).joinpath("governor.lua").read_text("utf-8")

Lane = Literal["now", "bulk"]
Claim = Literal["ok", "none", "unknown"]

#: A line's name and its spec (`worker.tiers.Line`), as messages carry them.
LineRef = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the broker keeps a message that a worker holds."""

    unacked_key: str
    unacked_index_key: str
    tag: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a request ended, as far as the windows care.

    ``used``: it may have reached Klaviyo and been counted. ``block`` seconds: nothing may be sent before (after a
    429). ``forget``: it was certainly not carried out.
    """

    used: bool
    quota: Quota | None = None
    block: float = 0.0
    forget: bool = False


class Governor:
    """All windows of all accounts, for every worker on every machine that shares this Redis."""

    def __init__(self, client: redis.Redis, prefix: str = PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._script = client.register_script(SCRIPT)

    def _call(self, operation: str, *arguments: Any) -> Any:
        return self._script(keys=[self._prefix], args=self._arguments(operation, arguments))

    def _arguments(self, operation: str, arguments: tuple[Any, ...]) -> list[Any]:
        return [operation, self._clock() if self._clock else "", *arguments]

    def wait(self, line: LineRef, lane: str, task_id: str, message: str, delay: float = 0.0) -> bool:
        """Put a task into its waiting list, ``delay`` seconds from now at the earliest.

        Returns whether it was released at once because every window had room.
        """
        return bool(self._call("wait", *line, lane, task_id, message, int(delay * 1000), 0))

    def restore(self, pipe: Any, line: LineRef, lane: str, task_id: str, message: str) -> None:
        """Queue on a transaction: a message that a dead worker held goes back to the head of its waiting list."""
        arguments = self._arguments("wait", (*line, lane, task_id, message, 0, 1))
        # EVAL, not EVALSHA: inside MULTI a missing script would fail after the message has left its old place.
        pipe.eval(SCRIPT, 1, self._prefix, *arguments)

    def tick(self) -> int:
        """Release what may be released; returns how many tasks that were."""
        return int(self._call("tick"))

    def claim(self, task_id: str, ttl_ms: int, unrepeatable: bool, holder: str) -> tuple[Claim, int]:
        """Take up the lease of a task for the delivery ``holder``, and how many attempts the task has used.

        ``unknown``: the action must not be repeated, and an earlier request of this task may have been carried out.
        """
        state, attempts = self._call("claim", task_id, ttl_ms, int(unrepeatable), holder)
        return state.decode(), int(attempts)

    def reserve(self, line: LineRef, task_id: str, ttl_ms: int) -> float:
        """Lease for a request of this process: 0 when it was given, else seconds after which to ask again."""
        return int(self._call("reserve", *line, task_id, ttl_ms)) / 1000

    def settle(self, task_id: str, end: Settlement) -> int | None:
        """Close a lease. Returns the steady limit that was adopted from Klaviyo's headers, if it was news."""
        quota = (end.quota.limit, end.quota.remaining, end.quota.reset) if end.quota else ("", "", "")
        adopted = self._call("settle", task_id, int(end.used), *quota, int(end.block * 1000), int(end.forget))
        return int(adopted) or None

    def park(
        self,
        delivery: Delivery,
        line: LineRef,
        lane: str,
        task_id: str,
        delay: float,
        at_head: bool,
        attempt: bool,
    ) -> int | None:
        """Move the message of a delivery back to its waiting list; returns the attempts used, ``attempt`` included.

        None: the delivery is no longer ours, somebody else has the task.
        """
        place = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag)
        how = (*line, lane, task_id, int(delay * 1000), int(at_head), int(attempt))
        attempts = int(self._call("park", *place, *how))
        return None if attempts < 0 else attempts

    def done(self, task_id: str) -> None:
        """The task is over: forget its attempts."""
        self._call("done", task_id)

    def beat(self, worker: str, slots: int, queues: list[str], ttl: float) -> None:
        """Say that this worker takes ``slots`` tasks at once from these queues; 0 slots: it takes leave."""
        self._call("beat", worker, slots, ",".join(queues), int(ttl * 1000))


@lru_cache(maxsize=1)
def get_governor() -> Governor:
    """The governor of this process."""
    return Governor(get_redis())
