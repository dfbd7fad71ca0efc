"""Sending calls and collecting results as any application would: with nothing but `.delay()` and the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.app import app
from worker.redis.connection import get_redis

#: Seconds between two polls of the results, and how many results are fetched at once.
POLL_INTERVAL_S, RESULTS_PER_POLL = 0.1, 500

#: Seconds without any new result after which the missing ones count as lost.
PATIENCE_S = 90.0


@dataclass(slots=True)
class Work:
    """Calls of one action."""

    action: Action[Any]
    calls: Iterable[dict[str, Any]]


@dataclass(slots=True)
class Run:
    """What was sent and what came back; ``meanwhile`` is called while waiting."""

    meanwhile: Callable[[], None]
    sent: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def results(self, *works: Work) -> list[list[Envelope]]:
        """Send all calls; return the envelopes of those that succeeded, in the order of the calls, for each work."""
        sent = [(work.action.declaration.name, self._send(work)) for work in works]
        found = self._collect([task_id for _, ids in sent for task_id in ids])
        envelopes = []
        for name, ids in sent:
            got = [found[task_id] for task_id in ids if task_id in found]
            self.succeeded[name] += len(got)
            envelopes.append(got)
        return envelopes

    def lost(self) -> int:
        """Return how many calls have not succeeded."""
        return (self.sent - self.succeeded).total()

    def _send(self, work: Work) -> list[str]:
        ids = []
        for params in work.calls:
            # Only the id is kept: Celery's result object would hold a subscription in Redis.
            ids.append(work.action.delay(**params).id)
            self.meanwhile()
        self.sent[work.action.declaration.name] += len(ids)
        return ids

    def _collect(self, ids: list[str]) -> dict[str, Envelope]:
        found: dict[str, Envelope] = {}
        waiting, progress = ids, time.monotonic()
        while waiting and time.monotonic() < progress + PATIENCE_S:
            left = [
                task_id
                for start in range(0, len(waiting), RESULTS_PER_POLL)
                for task_id in self._missing(waiting[start : start + RESULTS_PER_POLL], found)
            ]
            if len(left) < len(waiting):
                progress = time.monotonic()
            waiting = left
            self.meanwhile()
            time.sleep(POLL_INTERVAL_S)
        return found

    def _missing(self, ids: list[str], found: dict[str, Envelope]) -> list[str]:
        """Return the tasks that have not ended; record the results of the others."""
        missing = []
        backend: Any = app.backend
        stored: Any = get_redis().mget([backend.get_key_for_task(task_id) for task_id in ids])
        for task_id, payload in zip(ids, stored, strict=True):
            meta: Any = backend.decode_result(payload) if payload else {"status": "PENDING"}
            if meta["status"] == "SUCCESS":
                found[task_id] = meta["result"]
            elif meta["status"] == "FAILURE":
                self.failures.append(str(meta["result"]))
            else:
                missing.append(task_id)
        return missing
