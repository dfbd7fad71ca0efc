"""Tasks that have failed for good: keeping them, and repeating or dropping them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.governor.calling import ScriptCaller
from worker.governor.terms import FailedCall, LineRef
from worker.redis.patience import waits_for_redis


class KeptFailures(ScriptCaller):
    """The governor as far as failed tasks are concerned."""

    def fail(self, failed: FailedCall, key: str, value: str | bytes, ttl: int) -> None:
        """End a task that has failed for good, in one step: store its result, and keep the failure.

        Without a ``key`` nobody wants the result; ``ttl`` in seconds. The delivery is acknowledged unless somebody has
        to be told first.
        """
        where = (failed.delivery.unacked_key, failed.delivery.unacked_index_key, failed.delivery.tag)
        bounds = (failed.most, failed.most_bytes, failed.age_ms)
        kept = (failed.task_id, failed.group, failed.about, failed.record)
        self._call("fail", key, value, ttl, *where, int(failed.followed), *kept, *bounds)

    @waits_for_redis
    def keep_failure(self, task_id: str, group: str, about: bytes, record: bytes, at: float) -> None:
        """Keep a failure of another Redis, since ``at``, a Unix time; instead of one that this task has here."""
        self._call("keep_failure", task_id, group, about, record, int(at * 1000))

    @waits_for_redis
    def replay(self, failed_id: str, line: LineRef, lane: str, task_id: str, message: str) -> bool:
        """Put a failed task into its waiting list again, under another id, and forget the failure, in one step.

        Return False if it was no longer there: somebody else has replayed or dropped it.
        """
        return bool(self._call("replay", failed_id, *line, lane, task_id, message))

    def failure_groups(self) -> list[tuple[bytes, int, float, float]]:
        """Return what each group of failures is of, how many it has, and when the first and last were (Unix times)."""
        found: Any = self._client.hgetall(f"{self._prefix}failure_groups")
        pipe = self._client.pipeline(transaction=False)
        for group in found:
            key = f"{self._prefix}failed:{group.decode()}"
            pipe.zcard(key)
            pipe.zrange(key, 0, 0, withscores=True)
            pipe.zrange(key, -1, -1, withscores=True)
        answers = pipe.execute()
        return [
            (about, count, first[0][1] / 1000, last[0][1] / 1000)
            for about, count, first, last in zip(
                found.values(), answers[::3], answers[1::3], answers[2::3], strict=True
            )
            if count and first and last
        ]

    @waits_for_redis
    def failed_ids(self, group: str) -> list[str]:
        """Return the ids of the tasks of a group, the one that failed first at the front."""
        found: Any = self._client.zrange(f"{self._prefix}failed:{group}", 0, -1)
        return [id.decode() for id in found]

    @waits_for_redis
    def failures(self, group: str, ids: Sequence[str]) -> list[tuple[str, float, bytes]]:
        """Return the id, the Unix time and the record of each of these failures that is still there."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hmget(f"{self._prefix}failures", list(ids))
        pipe.zmscore(f"{self._prefix}failed:{group}", list(ids))
        records, times = pipe.execute()
        return [
            (id, at / 1000, record.partition(b"|")[2])
            for id, at, record in zip(ids, times, records, strict=True)
            if record is not None and at is not None
        ]

    @waits_for_redis
    def drop_failures(self, ids: Sequence[str]) -> int:
        """Drop failures, and return how many there were."""
        return int(self._call("drop_failures", *ids))

    def prune_failures(self, most: int, most_bytes: int, age_ms: int) -> int:
        """Drop the failures that are too old, or beyond so many or so many bytes, and return how many those were."""
        return int(self._call("prune_failures", most, most_bytes, age_ms))
