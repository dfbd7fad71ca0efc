"""Calls sent and results collected: the demo as any application is one, with nothing but `.delay()` and the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.app import app
from worker.connection import get_redis

#: Seconds between two looks at the results, and results fetched in one go.
PAUSE, BATCH = 0.1, 500

#: Seconds without any result after which what is still missing counts as lost.
PATIENCE = 90.0


@dataclass(slots=True)
class Work:
    """Calls of one action."""

    action: Action[Any]
    calls: Iterable[dict[str, Any]]


@dataclass(slots=True)
class Run:
    """What was sent, what came back, and what is to be done while waiting."""

    meanwhile: Callable[[], None]
    sent: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def results(self, *works: Work) -> list[list[Envelope]]:
        """Send all calls; the envelopes of those that succeeded, in the calls' order, for each work."""
        sent = [(work.action.declaration.name, self._send(work)) for work in works]
        found = self._collect([task_id for _, ids in sent for task_id in ids])
        envelopes = []
        for name, ids in sent:
            got = [found[task_id] for task_id in ids if task_id in found]
            self.succeeded[name] += len(got)
            envelopes.append(got)
        return envelopes

    def lost(self) -> int:
        """How many calls have no good result."""
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
        while waiting and time.monotonic() < progress + PATIENCE:
            left = [
                task_id
                for start in range(0, len(waiting), BATCH)
                for task_id in self._missing(waiting[start : start + BATCH], found)
            ]
            if len(left) < len(waiting):
                progress = time.monotonic()
            waiting = left
            self.meanwhile()
            time.sleep(PAUSE)
        return found

    def _missing(self, ids: list[str], found: dict[str, Envelope]) -> list[str]:
        """The tasks that are not over yet; the results of the others go where they belong."""
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
