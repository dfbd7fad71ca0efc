"""Imports in Redis: how each was started, how far it has come, and what became of its records.

An import is a run of many jobs in the ledger. ledger.lua adds up what became of their records, each job once; this
module holds what belongs to the run itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import redis

from worker.governor import KEY_PREFIX
from worker.one_per_process import one_per_redis
from worker.redis.connection import get_redis
from worker.redis.patience import waits_for_redis
from worker.redis.replicas import run_for_caller

#: Seconds for which a run is kept after its end.
KEPT_S = 14 * 86_400

RunState = Literal["running", "complete", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Run:
    """One import. Times are seconds since 1970 by Redis's clock.

    ``asked`` is how it was asked for. ``rows`` have been read; of these, ``checked`` were turned down before anything
    was sent, and ``unchanged`` needed nothing to be sent. The records of the others are ``landed``, ``rejected`` by
    Klaviyo, ``unknown``, ``withdrawn`` before they were sent, or still on their way in one of the ``parts``, of which
    so many are ``settled``.

    ``read`` bytes of the source have been read, of its ``size``; 0 where nobody knows that. ``seen`` is when the
    process that reads it was last heard of, ``rejects`` its file for rows that have not landed, ``reasons`` why they
    have not, the most frequent first, and ``reason_rows`` which rows each concerns, as far as that is kept: ``1-9,11``.
    """

    id: str
    state: RunState
    kind: str
    account: str
    source: str
    asked: dict[str, Any]
    started: float
    ended: float | None
    rows: int
    bytes: int
    checked: int
    unchanged: int
    parts: int
    settled: int
    landed: int
    rejected: int
    unknown: int
    withdrawn: int
    read: int
    size: int
    seen: float
    reason: str
    rejects: str
    reasons: tuple[tuple[str, int], ...]
    reason_rows: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Return how many rows have not landed, or may not have."""
        return self.checked + self.rejected + self.unknown

    @property
    def on_their_way(self) -> int:
        """Return how many rows are still to be sent, or are at Klaviyo with their outcome still unknown."""
        return max(0, self.rows - self.failed - self.unchanged - self.landed - self.withdrawn)


_NUMBERS = (
    "rows", "bytes", "checked", "unchanged", "parts", "settled", "landed", "rejected", "unknown", "withdrawn", "read",
    "size",
)  # fmt: skip
_TEXTS = (
    "state", "kind", "account", "source", "asked", "started", "ended", "seen", "reason", "rejects", "reasons",
    "reason_rows",
)  # fmt: skip
_FIELDS = (*_TEXTS, *_NUMBERS)


#: KEYS[1]: the prefix of all keys. ARGV: the id of a run, now, and the run's fields with their values.
BEGIN = """
local run = KEYS[1] .. 'run:' .. ARGV[1]
redis.call('HSET', run, unpack(ARGV, 3))
redis.call('HDEL', run, 'ended', 'reason')
return redis.call('ZADD', KEYS[1] .. 'runs', 'NX', ARGV[2], ARGV[1])
"""


class Runs:
    """Every import in this Redis."""

    def __init__(self, client: redis.Redis, prefix: str = KEY_PREFIX, clock: Callable[[], float] | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._begin = client.register_script(BEGIN)

    def _key(self, id: str, of: str = "") -> str:
        return f"{self._prefix}run:{id}{of}"

    @waits_for_redis
    def now(self) -> float:
        """Return the time by Redis's clock, in seconds since 1970."""
        if self._clock:
            return self._clock()
        seconds, micros = self._client.time()
        return float(seconds) + float(micros) / 1_000_000

    @waits_for_redis
    def begin(self, id: str, kind: str, account: str, source: str, asked: Mapping[str, Any]) -> Run:
        """Enter a run, or continue it, and return it, once `run_for_caller` has written it."""
        now, key = self.now(), self._key(id)
        fields: Any = {"state": "running", "seen": now}
        if not self._client.hexists(key, "kind"):
            fields |= {"kind": kind, "account": account, "source": source, "asked": orjson.dumps(asked), "started": now}
        words = [word for pair in fields.items() for word in pair]
        run_for_caller(self._client, self._begin, self._prefix, [id, now, *words])
        self._keep(id)
        found = self.run(id)
        assert found is not None
        return found

    @waits_for_redis
    def restore(self, before: Run) -> None:
        """Put a run back as it was ``before``, because resuming it was refused."""
        counts = ("rows", "bytes", "checked", "unchanged", "read", "size")
        fields: Any = {name: getattr(before, name) for name in ("state", "reason", "seen", "rejects", *counts)}
        fields |= {name: orjson.dumps(getattr(before, name)) for name in ("reasons", "reason_rows")}
        fields |= {"ended": before.ended or ""}
        self._client.hset(self._key(before.id), mapping=fields)

    @waits_for_redis
    def record_progress(
        self,
        id: str,
        rejects: str,
        reasons: Sequence[tuple[str, int]],
        reason_rows: Sequence[str] = (),
        **counts: int,
    ) -> None:
        """Record how far the source has been read, and which rows were rejected."""
        fields: Any = {**counts, "rejects": rejects, "seen": self.now()}
        fields |= {"reasons": orjson.dumps(reasons), "reason_rows": orjson.dumps(reason_rows)}
        self._client.hset(self._key(id), mapping=fields)
        self._keep(id)

    def _keep(self, id: str) -> None:
        """Keep a run for another `KEPT_S`; its process calls this again and again."""
        for of in ("", ":parts", ":digests"):
            self._client.expire(self._key(id, of), KEPT_S)

    @waits_for_redis
    def count_halved_part(self, id: str) -> int:
        """Count one more part of a run that is sent in halves. Return how many there are now."""
        return int(self._client.hincrby(self._key(id), "halved", 1))

    @waits_for_redis
    def is_same_part(self, id: str, part: int, digest: str) -> bool:
        """Return True if a part is the same as when it was first seen; ``digest`` stands for its content."""
        key = self._key(id, ":digests")
        self._client.hsetnx(key, str(part), digest)
        return bool(self._client.hget(key, str(part)) == digest.encode())

    @waits_for_redis
    def end(self, id: str, state: RunState, reason: str = "") -> None:
        """Record how a run ended, and why."""
        self._client.hset(self._key(id), mapping={"state": state, "ended": self.now(), "reason": reason})
        self._keep(id)
        self._client.zremrangebyscore(f"{self._prefix}runs", "-inf", self.now() - KEPT_S)

    @waits_for_redis
    def cancel(self, id: str) -> None:
        """Ask a run to stop; the process that reads its source checks this before each part."""
        if self.run(id) is not None:
            self._client.hset(self._key(id), "state", "cancelled")

    @waits_for_redis
    def run(self, id: str) -> Run | None:
        """Return one run; None if it is not, or no longer, in Redis."""
        values: Any = self._client.hmget(self._key(id), _FIELDS)
        raw = dict(zip(_FIELDS, values, strict=True))
        if raw["kind"] is None:
            return None
        counts = {name: int(raw[name] or 0) for name in _NUMBERS}
        return Run(
            id=id,
            state=raw["state"].decode(),
            kind=raw["kind"].decode(),
            account=raw["account"].decode(),
            source=raw["source"].decode(),
            asked=orjson.loads(raw["asked"]),
            started=float(raw["started"]),
            ended=float(raw["ended"]) if raw["ended"] else None,
            seen=float(raw["seen"] or raw["started"]),
            reason=(raw["reason"] or b"").decode(),
            rejects=(raw["rejects"] or b"").decode(),
            reasons=tuple((reason, count) for reason, count in orjson.loads(raw["reasons"] or b"[]")),
            reason_rows=tuple(orjson.loads(raw["reason_rows"] or b"[]")),
            **counts,
        )

    @waits_for_redis
    def recent(self, since: float = 0.0, until: float = float("inf")) -> list[Run]:
        """Return the runs that were started between two times, newest first."""
        found: Any = self._client.zrevrangebyscore(f"{self._prefix}runs", until, since)
        runs = (self.run(id.decode()) for id in found)
        return [run for run in runs if run is not None]

    @waits_for_redis
    def jobs(self, id: str) -> list[str]:
        """Return the ids of its jobs, oldest first."""
        found: Any = self._client.zrange(self._key(id, ":parts"), 0, -1)
        return [each.decode() for each in found]


@one_per_redis
def get_runs() -> Runs:
    """Return the runs in the current Redis."""
    return Runs(get_redis())
