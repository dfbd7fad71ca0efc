"""The governor, as Python calls it: one method for each operation of governor.lua."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import redis

from worker.connection import get_redis
from worker.jsonapi import Quota
from worker.tiers import MINUTE

PREFIX = "klaviyo:"
SCRIPT = resources.files(__package__).joinpath("governor.lua").read_text("utf-8")
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

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


@dataclass(frozen=True, slots=True)
class BucketLook:
    """One bucket at one moment. ``windows`` are (used, limit, length in ms), leases out included in the used.

    ``foreign``: requests of other software that Klaviyo has counted in the minute. ``blocked`` is in seconds from now.
    """

    name: str
    windows: tuple[tuple[int, int, int], ...]
    flight: int
    foreign: int
    blocked: float


@dataclass(frozen=True, slots=True)
class Look:
    """One line at one moment: who waits in it, and the buckets it draws on. Times are in seconds from now.

    ``later``: tasks whose time has not come. ``oldest``: how long the oldest that could go has been wanted; None where
    nothing waits, or its publisher was not one of ours.
    """

    line: str
    queue: str
    now: int
    bulk: int
    later: int
    oldest: float | None
    blocked: float
    buckets: tuple[BucketLook, ...]


class Governor:
    """All windows of all accounts, for every worker on every machine that shares this Redis."""

    def __init__(self, client: redis.Redis, prefix: str = PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock

    def _call(self, operation: str, *arguments: Any) -> Any:
        told = self._arguments(operation, arguments)
        try:
            return self._client.execute_command("EVALSHA", SHA, 1, self._prefix, *told)  # type: ignore[no-untyped-call]
        except redis.exceptions.NoScriptError:  # Redis is new, or was restarted or flushed
            return self._client.eval(SCRIPT, 1, self._prefix, *told)

    def _arguments(self, operation: str, arguments: tuple[Any, ...]) -> list[Any]:
        return [operation, self._clock() if self._clock else "", *arguments]

    def _now(self) -> int:
        seconds, micros = self._client.time()
        return int(seconds * 1000 + micros / 1000)

    def wait(self, line: LineRef, lane: str, task_id: str, message: str, delay: float = 0.0) -> int:
        """Put a task into its waiting list, ``delay`` seconds from now at the earliest.

        Returns how many tasks of the line that released, this one or others.
        """
        return int(self._call("wait", *line, lane, task_id, message, int(delay * 1000)))

    def restore(
        self, delivery: Delivery, queue: str, line: LineRef | None, lane: str, task_id: str, message: str
    ) -> bool:
        """Put back what a worker held, to the head of its waiting list or, without a line, of its queue.

        Returns whether the delivery was still on record.
        """
        place = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag, queue)
        return bool(self._call("restore", *place, *(line or ("", "")), lane, task_id, message))

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

    def settle(self, task_id: str, end: Settlement, holder: str = "") -> int | None:
        """Close a lease, unless somebody else holds it by now.

        Returns the steady limit that was adopted from Klaviyo's headers, if it was news.
        """
        quota = (end.quota.limit, end.quota.remaining, end.quota.reset) if end.quota else ("", "", "")
        adopted = self._call("settle", task_id, holder, int(end.used), *quota, int(end.block * 1000), int(end.forget))
        return int(adopted) or None

    def release(self, task_id: str) -> None:
        """Give back a lease that was not claimed."""
        self._call("release", task_id)

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

    def look(self) -> list[Look]:
        """Every line that this Redis knows, as it stands; each is read in one step, and nothing is changed."""
        names: list[Any] = self._client.hkeys(f"{self._prefix}lines")
        lines = sorted(name.decode() for name in names)
        pipe = self._client.pipeline(transaction=False)
        pipe.script_load(SCRIPT)
        for line in lines:
            pipe.evalsha(SHA, 1, self._prefix, *self._arguments("look", (line,)))
        moment = (self._clock() if self._clock else self._now()) / 1000
        return [_look(line, seen, moment) for line, seen in zip(lines, pipe.execute()[1:], strict=True) if seen]

    def slots(self) -> dict[str, int]:
        """How many tasks at once the workers take from each queue; empty where none was heard of lately."""
        found: Any = self._client.hgetall(f"{self._prefix}slots")
        return {queue.decode(): int(count) for queue, count in found.items()}

    def beat(self, worker: str, slots: int, queues: list[str], ttl: float) -> None:
        """Say that this worker takes ``slots`` tasks at once from these queues; 0 slots: it takes leave."""
        self._call("beat", worker, slots, ",".join(queues), int(ttl * 1000))


def _look(line: str, seen: list[Any], moment: float) -> Look:
    spec, now, bulk, later, since, blocked, *rest = seen
    queue, *parts = spec.decode().split(";")
    buckets = []
    for part in parts:
        name, _, sizes = part.rpartition("=")
        windows = [tuple(int(number) for number in size.split(":")) for size in sizes.split(",")]
        flight, adopted, foreign, until, *used = (int(float(each)) for each in rest[: 4 + len(windows)])
        rest = rest[4 + len(windows) :]
        buckets.append(
            BucketLook(
                name,
                tuple(
                    (count, adopted if adopted and length == MINUTE else limit, length)
                    for count, (limit, length) in zip(used, windows, strict=True)
                ),
                flight,
                foreign,
                max(0.0, until / 1000 - moment),
            )
        )
    return Look(
        line,
        queue,
        now,
        bulk,
        later,
        max(0.0, moment - float(since)) if since else None,
        max(0.0, int(float(blocked)) / 1000 - moment),
        tuple(buckets),
    )


@lru_cache(maxsize=1)
def get_governor() -> Governor:
    """The governor of this process."""
    return Governor(get_redis())
