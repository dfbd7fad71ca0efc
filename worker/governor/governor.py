"""The governor, as Python calls it: one method for each operation of the script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from worker.errors import AlreadyRevoked, Paused
from worker.governor.failing import KeptFailures
from worker.governor.looking import Observer
from worker.governor.reading import read_pause, read_rider
from worker.governor.terms import (
    ALONE,
    REVOKED_MS,
    SMALL_RESULT_BYTES,
    Arrival,
    Claim,
    Delivery,
    LineRef,
    Pause,
    RequestEnd,
    Rider,
    TaskEnd,
    Together,
)
from worker.lane_and_expiry import Expiry
from worker.one_per_process import one_per_redis
from worker.pauses import holders, owner
from worker.process.state import working
from worker.redis.connection import Full, NotReplicated, get_publisher, get_redis
from worker.redis.patience import waits_for_redis


class Governor(KeptFailures, Observer):
    """All windows of all accounts, for every worker on every machine that shares this Redis."""

    def confirm(self) -> None:
        """Wait until replicas have all that was written before, by whichever connection, if the settings ask for it.

        Raises:
            NotReplicated: they do not have it in time.

        """
        self._call_safely("confirm")

    def wait(
        self,
        line: LineRef,
        lane: str,
        task_id: str,
        message: str,
        delay: float = 0.0,
        expires: Expiry | None = None,
        urgent: bool = False,
        together: Together = ALONE,
    ) -> int:
        """Put a task into its waiting list, ``delay`` seconds from now at the earliest.

        Return how many tasks of the line were released by that, this one or others. ``urgent``: a worker publishes it
        to work off what waits, so that Redis takes it even when full.

        Raises:
            AlreadyRevoked: the id has been revoked, and the publisher is not a worker.
            NotReplicated: too few replicas have it; unless a worker has it already, it has been taken back.

        """
        arguments = (int(delay * 1000), expires.script_argument if expires else "", int(urgent), *together)
        answer = self._publish(("", message, task_id), "wait", *line, lane, task_id, message, *arguments)
        return self._released(task_id, answer)

    def wait_all(
        self,
        line: LineRef,
        lane: str,
        tasks: Iterable[tuple[str, str, str]],
        delay: float = 0.0,
        expires: Expiry | None = None,
        carrier: str = "",
    ) -> None:
        """Put new tasks of one line, at least one, into its waiting list, atomically.

        Of each: its id, its message, and what it can share with others in the request ``carrier``. Said once more, with
        the same first id, this does nothing.

        Raises:
            NotReplicated: too few replicas have them; unless a worker has one already, all have been taken back.

        """
        ids, arguments = [], []
        for task_id, message, share in tasks:
            ids.append(task_id)
            arguments += [task_id, f"{lane}|{line[0]}|{share}\n{message}"]
        how = (lane, int(delay * 1000), expires.script_argument if expires else "", carrier)
        self._publish(("", "", *ids), "wait_all", *line, *how, *arguments)

    def _publish(self, to_take_back: Sequence[str], operation: str, *arguments: Any) -> int:
        try:
            # A worker's are followed by the acknowledgement of what they come from: a replica has both or neither.
            return int((self._call if working.is_set() else self._call_safely)(operation, *arguments))
        except NotReplicated as error:
            taken_back = bool(self._call("take_back", *to_take_back))
            raise error.of_publication(taken_back, several=operation == "wait_all") from None

    def _released(self, task_id: str, answer: int) -> int:
        if answer == -1:
            raise AlreadyRevoked(task_id, self._revoked(task_id) or "revoked")
        return max(0, answer)

    def restore(
        self,
        delivery: Delivery,
        queue: str,
        line: LineRef | None,
        lane: str,
        task_id: str,
        message: str,
        together: Together = ALONE,
    ) -> bool:
        """Put back what a worker held, to the head of its waiting list or, without a line, of its queue.

        If it is a request that carries several tasks, they go back to wait.

        Return True if the delivery was still on record.
        """
        broker_keys = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag, queue)
        return bool(self._call("restore", *broker_keys, *(line or ("", "")), lane, task_id, message, *together))

    def put(self, list_key: str, queue: str, task_id: str, message: str, urgent: bool) -> None:
        """Put a message that has no line into its queue's list, and wake a worker. Otherwise as `wait`."""
        answer = self._publish((list_key, message, task_id), "put", list_key, queue, task_id, message, int(urgent))
        self._released(task_id, answer)

    def bind(self, member: str, tables: list[str]) -> None:
        """Add a queue's binding to these sets. Redis takes a worker's even when full."""
        self._call("bind", member, int(working.is_set()), *tables)

    def store(self, key: str, value: str | bytes, ttl: int, early: bool = False) -> None:
        """Store a result and notify whoever waits for it; ``ttl`` in seconds, 0 for ever.

        Even a full Redis takes any small result, and every result of a worker, since it tells of what has happened.
        ``early``: the task has not ended; its end, if already stored, is kept.
        """
        urgent = working.is_set() or len(value) <= SMALL_RESULT_BYTES
        self._call("store", key, value, ttl, int(urgent), int(early))

    @waits_for_redis
    def has_room(self) -> bool:
        """Return True if Redis has memory for more than what must be stored."""
        return self._has_room()

    def _has_room(self) -> bool:
        try:
            self._call("room")
        except Full:
            return False
        return True

    def use_room(self, most: int = 500) -> int:
        """If Redis has room again, try up to ``most`` tasks that wait for it, and return how many."""
        if not self._client.exists(f"{self._prefix}roomless") or not self._has_room():
            return 0
        return int(self._call("use_room", most))

    def acknowledge(self, delivery: Delivery, task_id: str, result_key: str, primary: str) -> bool:
        """Acknowledge the delivery of a task that has ended. Return False if it will be delivered again.

        That is so if it was taken from another primary, with which what the task has published may be lost. Whoever
        made a request that must not be repeated comes again only if its result has been lost; ``result_key`` is empty
        where nobody wants one.
        """
        keys = (delivery.unacked_key, delivery.unacked_index_key)
        return bool(self._call("acknowledge", delivery.tag, task_id, result_key, primary, *keys))

    def hold(self, index: str, tags: Mapping[str, str], ttl_ms: int) -> None:
        """Show that a worker still holds these deliveries.

        Each is given with the task whose lease came with it and has been taken up, so that the lease is good for
        ``ttl_ms`` from now; "" for none.
        """
        self._call("hold", index, ttl_ms, *(each for pair in tags.items() for each in pair))

    def abandoned(self, index: str, seconds: float, most: int) -> list[str]:
        """Return up to ``most`` deliveries that no worker has shown to hold for so many seconds."""
        return [tag.decode() for tag in self._call("abandoned", index, int(seconds * 1000), most)]

    def tick(self) -> int:
        """Release what may be released, and return how many tasks that were."""
        return int(self._call("tick"))

    def take(self, pop: Delivery, ttl_ms: int, most: int, lists: list[str]) -> list[tuple[str, bytes, str]]:
        """Take messages (see `take_command`). Return the list, the message and the task of a claimed lease of each."""
        found: Any = self._call(*take_command(pop, ttl_ms, most, lists, []))
        return [
            (name.decode(), message, claimed.decode())
            for name, message, claimed in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]

    @waits_for_redis
    def claim(self, task_id: str, ttl_ms: int, unrepeatable: bool, holder: str) -> Claim:
        """Claim the lease of a task for the delivery ``holder``."""
        state, attempts, reason, roomless = self._call("claim", task_id, ttl_ms, int(unrepeatable), holder)
        return Claim(state.decode(), int(attempts), reason.decode(), int(roomless))

    @waits_for_redis
    def reserve(self, line: LineRef, task_id: str, ttl_ms: int) -> float:
        """Ask for a lease for a request of this process. Return 0 if granted, else the seconds until the next try.

        Raises:
            Paused: somebody has paused the account, the action or its tier.

        """
        milliseconds = int(self._call("reserve", *line, task_id, ttl_ms))
        if milliseconds < 0:
            account, action = owner(line[0])
            reasons = " ".join(map(str, self.holding(line)))
            raise Paused(action, account, reasons)
        return milliseconds / 1000

    @waits_for_redis
    def count_forbidden(self, account: str) -> int:
        """Count a 403. Return how many there have been since Klaviyo last accepted a request of this account."""
        return int(self._call("forbidden", account))

    @waits_for_redis
    def close_lease(self, task_id: str, end: RequestEnd, holder: str = "") -> int | None:
        """Close a lease, unless somebody else holds it by now.

        Return the steady limit adopted from Klaviyo's headers; None if it has not changed.
        """
        how = (int(end.block * 1000), int(end.forget), end.accepted_key, int(end.unanswered), end.block_reason)
        adopted = self._call("close", task_id, holder, int(end.used), *_quota(end), *how)
        return int(adopted) or None

    @waits_for_redis
    def finish(self, ends: Sequence[TaskEnd]) -> list[int]:
        """End tasks atomically: close their leases, store their results, and acknowledge their deliveries.

        Return for each the steady limit adopted from Klaviyo's headers; 0 if it has not changed.
        """
        broker_keys = (ends[0].delivery.unacked_key, ends[0].delivery.unacked_index_key)
        arguments: list[Any] = []
        for end in ends:
            arguments += (end.task_id, end.delivery.tag, *_quota(end.request_end), end.request_end.accepted_key)
            arguments += (end.key, end.value, end.ttl)
        return [int(adopted) for adopted in self._call("finish", *broker_keys, *arguments)]

    @waits_for_redis
    def board(self, carrier: str, ttl_ms: int, holder: str) -> list[Rider]:
        """Claim the lease of a request that carries several tasks, and theirs; empty if there is nothing to send."""
        found: Any = self._call("board", carrier, ttl_ms, holder)
        return [read_rider(*each) for each in zip(found[::3], found[1::3], found[2::3], strict=True)]

    @waits_for_redis
    def hand_over(self, delivery: Delivery, carrier: str, task_ids: Sequence[str]) -> bool:
        """Leave tasks that travel together to a job of Klaviyo's, at whose end `arrive` ends them.

        Return False if somebody else has them by now.
        """
        broker_keys = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag)
        return bool(self._call("hand_over", *broker_keys, carrier, *task_ids))

    @waits_for_redis
    def riders(self, carrier: str) -> list[Rider]:
        """Return the tasks that a request carries; empty once it has ended."""
        stored: Any = self._client.lrange(f"{self._prefix}riders:{carrier}", 0, -1)
        return [read_rider(each.partition(b"\n")[0], b"0", each.partition(b"\n")[2]) for each in stored]

    @waits_for_redis
    def arrive(self, delivery: Delivery, carrier: str, arrival: Arrival) -> int | None:
        """End a request that carried several tasks, and all of them with it, atomically.

        Return the steady limit adopted from Klaviyo's headers, 0 if it has not changed; None if somebody else has the
        tasks by now, and nothing was done.
        """
        end = arrival.request_end
        broker_keys = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag, carrier)
        answer = (int(end.used), *_quota(end), int(end.block * 1000), end.accepted_key)
        how = (*answer, int(end.forget), int(end.unanswered), end.block_reason)
        arguments: list[Any] = [int(arrival.delay * 1000), int(arrival.attempt), arrival.ttl]
        for fate in arrival.fates:
            arguments += (fate.task_id, fate.how, fate.what, fate.key, fate.value)
        adopted = int(self._call("arrive", *broker_keys, *how, *arguments))
        return None if adopted < 0 else adopted

    @waits_for_redis
    def release(self, task_id: str, holder: str = "") -> None:
        """Return a lease that was not claimed, or was claimed with the pop of this delivery and not used."""
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
        together: Together = ALONE,
    ) -> int | None:
        """Move the message of a delivery back to its waiting list.

        Return the attempts used, ``attempt`` included; None if the delivery is no longer ours, because somebody else
        has the task. ``roomless``: there was no room for its result. ``expires``: only if the task's publisher set it
        and the governor does not know it yet.
        """
        broker_keys = (delivery.unacked_key, delivery.unacked_index_key, delivery.tag)
        count = "attempts" if attempt else "roomless" if roomless else ""
        how = (*line, lane, task_id, int(delay * 1000), int(at_head), count)
        until = expires.script_argument if expires else ""
        attempts = int(self._call("park", *broker_keys, *how, until, *together))
        return None if attempts < 0 else attempts

    @waits_for_redis
    def done(self, task_id: str) -> None:
        """Forget the attempts, the expiry and the lack of room of a task that is over."""
        self._call("done", task_id)

    @waits_for_redis
    def message(self, task_id: str) -> bytes | None:
        """Return the message of a task that waits; None if it does not wait."""
        stored: Any = self._client.hget(f"{self._prefix}waiting", task_id)
        return None if stored is None else stored.partition(b"\n")[2]

    @waits_for_redis
    def revoke(self, task_id: str, reason: str) -> str | None:
        """Grant no claim of this task for a month. Return its message if it waits."""
        message = self._call("revoke", task_id, reason, REVOKED_MS)
        return message.decode() if message else None

    @waits_for_redis
    def revoked(self, task_id: str) -> str | None:
        """Return why a task was revoked; None if it was not."""
        return self._revoked(task_id)

    def _revoked(self, task_id: str) -> str | None:
        reason: Any = self._client.get(f"{self._prefix}revoked:{task_id}")
        return None if reason is None else reason.decode()

    @waits_for_redis
    def withdraw(self, task_id: str, result_key: str, result: str | bytes, ttl: int, ours: bool = True) -> bool:
        """Take a task out of its waiting list and store how it ended. Return True if it waited.

        The result of a task that does not wait is stored too, unless a worker has claimed it, it may have been carried
        out, or it has ended. ``ours``: no other application's task can have this id.
        """
        return bool(self._call("withdraw", task_id, result_key, result, ttl, int(ours)))

    def purge(self, queue: str) -> int:
        """Drop every task that waits for a queue, and return how many those were."""
        return int(self._call("purge", queue))

    @waits_for_redis
    def pause(
        self, what: str, by: str, why: str, *, since: float, probe: float = 0.0, key: str = "", remedy: str = ""
    ) -> bool:
        """Pause an account, an action or a tier until it is resumed. Return True if it was not paused before.

        ``what`` is as in `Pause`. ``probe``: seconds until one task is tried; the interval then doubles up to a minute,
        and a task that succeeds resumes the rest. ``key``: fingerprint of the credentials that were refused;
        ``remedy``: what gives the account others.
        """
        about = orjson.dumps({"by": by, "why": why, "since": since, "key": key, "remedy": remedy})
        return bool(self._call("pause", what, int(probe * 1000), about))

    def resume(self, what: str) -> bool:
        """Resume it. Return True if it was paused."""
        return bool(self._call("resume", what))

    def paused(self) -> list[Pause]:
        """Return everything that is paused."""
        found: Any = self._client.hgetall(f"{self._prefix}paused")
        moment = self.now() if found else 0
        return sorted(
            (read_pause(what.decode(), value, moment) for what, value in found.items()), key=lambda each: each.what
        )

    def holding(self, line: LineRef) -> list[Pause]:
        """Return the pauses that hold a line: of its account, its action or its tier."""
        held_by = holders(line[0], line[1].partition(";")[0])
        return [each for each in self.paused() if each.what in held_by]

    @waits_for_redis
    def set_weights(self, weights: Mapping[str, int], others: bool = False) -> None:
        """Set the weights of these accounts; ``others``: every other account has the weight 1 from now on."""
        name, pipe = f"{self._prefix}weights", self._client.pipeline(transaction=True)
        if others:
            pipe.delete(name)
        for account, weight in weights.items():
            if weight == 1:
                pipe.hdel(name, account)
            else:
                pipe.hset(name, account, str(weight))
        pipe.execute()

    @waits_for_redis
    def join(self, account: str, fingerprint: str, company_id: str) -> int:
        """Let an account draw on the same buckets as the others whose private keys belong to the same company.

        ``fingerprint`` is that of the account's key; an empty one: it has no private key any more. Return how many
        accounts draw on other buckets than before.
        """
        return int(self._call("join", account, fingerprint, company_id))

    @waits_for_redis
    def companies(self) -> dict[str, tuple[str, str]]:
        """Return the fingerprint of each account's private key and the company that it belongs to, where known."""
        found: Any = self._client.hgetall(f"{self._prefix}companies")
        split = {account.decode(): value.decode().partition("|") for account, value in found.items()}
        return {account: (fingerprint, company_id) for account, (fingerprint, _, company_id) in split.items()}

    def beat(self, worker: str, slots: int, queues: list[str], ttl: float, alone: bool = False) -> None:
        """Announce that this worker takes ``slots`` tasks at once from these queues; with 0 it signs off.

        ``alone``: no calls travel together, whichever worker carries them out.
        """
        self._call("beat", worker, slots, ",".join(queues), int(ttl * 1000), int(alone))


def take_command(pop: Delivery, ttl_ms: int, most: int, lists: list[str], wakes: list[str]) -> tuple[Any, ...]:
    """Return the operation that takes up to ``most`` messages, records them, and claims their leases for ``ttl_ms``.

    The tags of the messages begin with that of ``pop``. ``wakes`` are the lists that a worker sleeps on.
    """
    return ("take", pop.unacked_key, pop.unacked_index_key, pop.tag, ttl_ms, most, len(lists), *lists, *wakes)


def _quota(end: RequestEnd) -> tuple[Any, Any, Any]:
    return (end.quota.limit, end.quota.remaining, end.quota.reset) if end.quota else ("", "", "")


@one_per_redis
def get_governor() -> Governor:
    """The governor of this process."""
    return Governor(get_redis())


@one_per_redis
def get_publishing_governor() -> Governor:
    """The same for publishers, who wait no longer than `worker.redis.connection.get_publisher` does."""
    return Governor(get_publisher())
