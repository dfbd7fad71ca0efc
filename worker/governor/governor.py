"""The governor, as Python calls it: one method for each operation of the script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import redis

from worker.composition import one_per_process
from worker.connection import Full, get_publisher, get_redis
from worker.errors import AlreadyRevoked, Paused
from worker.governor.reading import read_look, read_pause
from worker.governor.script import SCRIPT
from worker.governor.terms import (
    PREFIX,
    REVOKED_MS,
    SMALL_RESULT,
    Claim,
    Delivery,
    End,
    LineRef,
    Look,
    Pause,
    Settlement,
)
from worker.patience import waits_for_redis
from worker.pauses import resuming, said
from worker.process import working
from worker.waiting import Expiry


class Governor:
    """All windows of all accounts, for every worker on every machine that shares this Redis."""

    def __init__(self, client: redis.Redis, prefix: str = PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._script = client.register_script(SCRIPT)

    def _call(self, operation: str, *arguments: Any) -> Any:
        told = self._arguments(operation, arguments)
        try:
            return self._answer("EVALSHA", self._script.sha, 1, self._prefix, *told)
        except redis.exceptions.NoScriptError:  # Redis is new, or was restarted or flushed
            return self._script([self._prefix], told)

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

    def wait(
        self,
        line: LineRef,
        lane: str,
        task_id: str,
        message: str,
        delay: float = 0.0,
        expires: Expiry | None = None,
        urgent: bool = False,
    ) -> int:
        """Put a task into its waiting list, ``delay`` seconds from now at the earliest.

        ``urgent``: a worker says it, to work off what waits; Redis takes it though it be full. Returns how many tasks
        of the line that released, this one or others.

        Raises:
            AlreadyRevoked: its id has been revoked, and it is no worker that says it.

        """
        told = (int(delay * 1000), expires.told if expires else "", int(urgent))
        return self._published(task_id, self._call("wait", *line, lane, task_id, message, *told))

    def _published(self, task_id: str, answer: Any) -> int:
        if int(answer) < 0:
            raise AlreadyRevoked(task_id, self._revoked(task_id) or "revoked")
        return int(answer)

    def restore(
        self, delivery: Delivery, queue: str, line: LineRef | None, lane: str, task_id: str, message: str
    ) -> bool:
        """Put back what a worker held, to the head of its waiting list or, without a line, of its queue.

        Returns whether the delivery was still on record.
        """
        place = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag, queue)
        return bool(self._call("restore", *place, *(line or ("", "")), lane, task_id, message))

    def put(self, list_key: str, queue: str, task_id: str, message: str, urgent: bool) -> None:
        """Put a message that has no line into its queue's list, and wake a worker; the rest is as in `wait`."""
        self._published(task_id, self._call("put", list_key, queue, task_id, message, int(urgent)))

    def bind(self, member: str, tables: list[str]) -> None:
        """Enter a queue's binding into these sets; a worker's though Redis be full."""
        self._call("bind", member, int(working.is_set()), *tables)

    def store(self, key: str, value: str | bytes, ttl: int, early: bool = False) -> None:
        """Store a result and tell who listens; ``ttl`` in seconds, 0 for ever.

        Full or not, Redis takes a worker's, since what it tells has happened, and any small one. ``early``: it tells no
        end, and is not stored over one.
        """
        urgent = working.is_set() or len(value) <= SMALL_RESULT
        self._call("store", key, value, ttl, int(urgent), int(early))

    @waits_for_redis
    def has_room(self) -> bool:
        """Whether Redis has memory for more than what must be written down."""
        return self._has_room()

    def _has_room(self) -> bool:
        try:
            self._call("room")
        except Full:
            return False
        return True

    def use_room(self, most: int = 500) -> int:
        """Try tasks at once that wait for room, so many at most, if there is room again; how many those were."""
        if not self._client.exists(f"{self._prefix}roomless") or not self._has_room():
            return 0
        return int(self._call("use_room", most))

    def hold(self, index: str, tags: list[str]) -> None:
        """Show that these deliveries are still being worked on."""
        self._call("hold", index, *tags)

    def abandoned(self, index: str, seconds: float, most: int) -> list[str]:
        """The deliveries that nobody has shown to be worked on for so long."""
        return [tag.decode() for tag in self._call("abandoned", index, int(seconds * 1000), most)]

    def tick(self) -> int:
        """Release what may be released; returns how many tasks that were."""
        return int(self._call("tick"))

    def take(self, place: Delivery, ttl_ms: int, most: int, lists: list[str]) -> list[tuple[str, bytes, str]]:
        """Take messages as `take_command` says: the list of each, itself, and the task whose lease came with it."""
        found: Any = self._call(*take_command(place, ttl_ms, most, lists, []))
        return [
            (name.decode(), message, claimed.decode())
            for name, message, claimed in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]

    @waits_for_redis
    def claim(self, task_id: str, ttl_ms: int, unrepeatable: bool, holder: str) -> Claim:
        """Take up the lease of a task for the delivery ``holder``."""
        state, attempts, reason, roomless = self._call("claim", task_id, ttl_ms, int(unrepeatable), holder)
        return Claim(state.decode(), int(attempts), reason.decode(), int(roomless))

    @waits_for_redis
    def reserve(self, line: LineRef, task_id: str, ttl_ms: int) -> float:
        """Lease for a request of this process: 0 when it was given, else seconds after which to ask again.

        Raises:
            Paused: somebody has paused the account, the action or its tier.

        """
        milliseconds = int(self._call("reserve", *line, task_id, ttl_ms))
        if milliseconds < 0:
            account, action = _owner(line)
            reasons = "; ".join(
                f"{said(each.what)}, by {each.by} ({each.why}; {resuming(each.what)} lets it go on)"
                for each in self.holding(line)
            )
            raise Paused(action, account, reasons)
        return milliseconds / 1000

    @waits_for_redis
    def forbidden(self, account: str) -> int:
        """Klaviyo has answered 403; how often it has done so since it last accepted a request of this account."""
        return int(self._call("forbidden", account))

    @waits_for_redis
    def settle(self, task_id: str, end: Settlement, holder: str = "") -> int | None:
        """Close a lease, unless somebody else holds it by now.

        Returns the steady limit that was adopted from Klaviyo's headers, if it was news.
        """
        how = (int(end.block * 1000), int(end.forget), end.welcome)
        adopted = self._call("settle", task_id, holder, int(end.used), *_quota(end), *how)
        return int(adopted) or None

    @waits_for_redis
    def finish(self, ends: Sequence[End]) -> list[int]:
        """End tasks, in one step: settle the leases, store the results, and strike the deliveries off the record.

        Returns for each the steady limit that was adopted from Klaviyo's headers, 0 if it was no news.
        """
        place = (ends[0].delivery.unacked_key, ends[0].delivery.unacked_index_key)
        told: list[Any] = []
        for end in ends:
            told += (end.task_id, end.delivery.tag, *_quota(end.settlement), end.settlement.welcome)
            told += (end.key, end.value, end.ttl)
        return [int(adopted) for adopted in self._call("finish", *place, *told)]

    @waits_for_redis
    def release(self, task_id: str, holder: str = "") -> None:
        """Give back a lease that was not claimed, or was claimed with the pop of this delivery and not used."""
        self._call("release", task_id, holder)

    @waits_for_redis
    def park(
        self,
        delivery: Delivery,
        line: LineRef,
        lane: str,
        task_id: str,
        delay: float,
        at_head: bool,
        attempt: bool,
        expires: Expiry | None = None,
        roomless: bool = False,
    ) -> int | None:
        """Move the message of a delivery back to its waiting list; returns the attempts used, ``attempt`` included.

        ``roomless``: there was no room for its result.
        ``expires`` where the task's publisher said so and the governor has not been told. None: the delivery is no
        longer ours, somebody else has the task.
        """
        place = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag)
        count = "attempts" if attempt else "roomless" if roomless else ""
        how = (*line, lane, task_id, int(delay * 1000), int(at_head), count, expires.told if expires else "")
        attempts = int(self._call("park", *place, *how))
        return None if attempts < 0 else attempts

    @waits_for_redis
    def done(self, task_id: str) -> None:
        """The task is over: forget its attempts, its expiry, and whether there was room for its result."""
        self._call("done", task_id)

    @waits_for_redis
    def message(self, task_id: str) -> bytes | None:
        """The message of a task, where it waits."""
        stored: Any = self._client.hget(f"{self._prefix}waiting", task_id)
        return None if stored is None else stored.partition(b"\n")[2]

    @waits_for_redis
    def revoke(self, task_id: str, reason: str) -> str | None:
        """From now on no claim of this task is granted, for a month; returns its message where it waits."""
        message = self._call("revoke", task_id, reason, REVOKED_MS)
        return message.decode() if message else None

    @waits_for_redis
    def revoked(self, task_id: str) -> str | None:
        """Why a task was revoked; None where it was not."""
        return self._revoked(task_id)

    def _revoked(self, task_id: str) -> str | None:
        reason: Any = self._client.get(f"{self._prefix}revoked:{task_id}")
        return None if reason is None else reason.decode()

    def waiting(self) -> Iterator[bytes]:
        """The message of every task that waits, in no order; what comes or goes meanwhile may or may not be seen."""
        for _, stored in self._client.hscan_iter(f"{self._prefix}waiting", count=500):
            yield stored.partition(b"\n")[2]

    @waits_for_redis
    def withdraw(self, task_id: str, result_key: str, result: str | bytes, ttl: int, ours: bool = True) -> bool:
        """Take a task out of its waiting list and store how it ended; whether it waited.

        The result of one that does not wait is stored too, unless a worker has claimed it, it may have been carried
        out, or it has ended. ``ours``: no other application's task can have this id.
        """
        return bool(self._call("withdraw", task_id, result_key, result, ttl, int(ours)))

    def count(self) -> int:
        """How many tasks wait."""
        found: Any = self._client.hlen(f"{self._prefix}waiting")
        return int(found)

    def purge(self, queue: str) -> int:
        """Forget every task that waits for a queue; returns how many those were."""
        return int(self._call("purge", queue))

    @waits_for_redis
    def pause(self, what: str, by: str, why: str, *, since: float, probe: float = 0.0, key: str = "") -> bool:
        """Let nothing of an account, an action or a tier go until it is resumed; whether that was news.

        ``probe``: seconds after which one task is tried, then twice as long, up to a minute; what that finds right goes
        on by itself.
        ``what`` is as in `Pause`, ``key`` tells which credentials were refused.
        """
        about = orjson.dumps({"by": by, "why": why, "since": since, "key": key})
        return bool(self._call("pause", what, int(probe * 1000), about))

    def resume(self, what: str) -> bool:
        """Let it go on; whether it was paused."""
        return bool(self._call("resume", what))

    def paused(self) -> list[Pause]:
        """Everything that is paused."""
        found: Any = self._client.hgetall(f"{self._prefix}paused")
        moment = self.now() if found else 0
        return sorted(
            (read_pause(what.decode(), value, moment) for what, value in found.items()), key=lambda each: each.what
        )

    def holding(self, line: LineRef) -> list[Pause]:
        """What is paused of everything that a line belongs to: its account, its action, its tier."""
        account, action = _owner(line)
        queue = line[1].partition(";")[0]
        holds = {f"account:{account}", f"action:{action}", f"action:{account}:{action}", f"tier:{queue}"}
        return [each for each in self.paused() if each.what in holds]

    def look(self) -> list[Look]:
        """Every line that this Redis knows, as it stands; each is read in one step, and nothing is changed."""
        names: list[Any] = self._client.hkeys(f"{self._prefix}lines")
        lines = sorted(name.decode() for name in names)
        pipe = self._client.pipeline(transaction=False)
        for line in lines:
            self._script([self._prefix], self._arguments("look", (line,)), pipe)
        moment = self.now() / 1000
        return [read_look(line, seen, moment) for line, seen in zip(lines, pipe.execute(), strict=True) if seen]

    @waits_for_redis
    def slots(self) -> dict[str, int]:
        """How many tasks at once the workers take from each queue; empty where none was heard of lately."""
        found: Any = self._client.hgetall(f"{self._prefix}slots")
        return {queue.decode(): int(count) for queue, count in found.items()}

    def beat(self, worker: str, slots: int, queues: list[str], ttl: float) -> None:
        """Say that this worker takes ``slots`` tasks at once from these queues; 0 slots: it takes leave."""
        self._call("beat", worker, slots, ",".join(queues), int(ttl * 1000))


def take_command(place: Delivery, ttl_ms: int, most: int, lists: list[str], wakes: list[str]) -> tuple[Any, ...]:
    """The operation that takes so many messages at most, records them, and claims leases for ``ttl_ms``.

    ``place`` has the tag of this pop, which those of its messages begin with. ``wakes`` are what a worker sleeps on.
    """
    return ("take", place.unacked_key, place.unacked_index_key, place.tag, ttl_ms, most, len(lists), *lists, *wakes)


def _quota(end: Settlement) -> tuple[Any, Any, Any]:
    return (end.quota.limit, end.quota.remaining, end.quota.reset) if end.quota else ("", "", "")


def _owner(line: LineRef) -> tuple[str, str]:
    """The account and the action that a line is of."""
    account, _, action = line[0].partition("+")[0].partition(":")
    return account, action


@one_per_process
def get_governor() -> Governor:
    """The governor of this process."""
    return Governor(get_redis())


@one_per_process
def get_publishing_governor() -> Governor:
    """The same for somebody who publishes and has no more patience than `worker.connection.get_publisher`."""
    return Governor(get_publisher())
