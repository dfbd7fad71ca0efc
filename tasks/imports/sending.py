"""Hand the parts of an import to the ledger, as many as may wait there, and none twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from tasks.imports.parts import Part
from tasks.jobs.import_runs import Run, get_runs
from tasks.jobs.isolate import replace_records
from tasks.jobs.kinds import JOB_KINDS as JOBS
from tasks.jobs.ledger import Job, get_ledger
from tasks.jobs.next_step import go_on
from tasks.jobs.outcome import outcome_error
from tasks.jobs.records import records
from tasks.jobs.rows import format_rows, parse_rows
from tasks.jobs.withdraw import withdraw as withdraw_job
from worker.api.jsonapi import Request
from worker.errors import Forbidden, Gone, KlaviyoError, SettingsError, SourceError, Unauthorized
from worker.governor import Lane

#: The most parts, and bytes of them, that wait for their request: enough for any budget, yet little in Redis.
MAX_WAITING_PARTS, MAX_WAITING_BYTES = 100, 64_000_000

#: The interval at which waiting parts are checked.
PAUSE_S = 0.05

#: The statuses of parts that are sent again when their run is resumed.
AGAIN = frozenset({"withdrawn", "refused", "cancelled", "vanished", "stuck"})

#: Errors that every other part would meet, too.
FATAL = (Unauthorized, Forbidden, Gone, SettingsError)


class Stopped(KlaviyoError):
    """The import was cancelled, or its process is stopping."""


class PartsForgotten(KlaviyoError):
    """Redis no longer knows parts that it had taken: a replica without them has become the primary."""

    def __init__(self, run: str, missing: int) -> None:
        super().__init__(run, missing)

    def __str__(self) -> str:
        run, missing = self.args
        return (
            f"Redis has lost {missing:,} of the parts of import {run}, as a failover may do: "
            f"run the same import with --run {run} to send what has not landed"
        )


class RunForgotten(KlaviyoError):
    """Redis no longer knows a run that is under way: it was emptied, or a replica without it is the primary."""

    def __init__(self, run: str) -> None:
        super().__init__(run)

    def __str__(self) -> str:
        return (
            f"Redis has lost import {self.args[0]}, as it does where a failover forgets it or its data is deleted: "
            "import the rows again"
        )


class AnotherSource(SourceError):
    """A run was resumed with rows that differ from those of the first time."""


class Sender:
    """Sends the parts of one run in order, until ``stop`` returns True."""

    def __init__(
        self, run: Run, lane: Lane, stop: Callable[[], bool], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._run = run
        self._lane = lane
        self._stop = stop
        self._pause = pause
        self._waiting: dict[str, int] = {}
        self.bytes = self.opened = 0
        self._sent: list[str] = []

    @property
    def sent(self) -> int:
        """How many parts were handed over, those of an earlier process of the run included."""
        return len(self._sent)

    def send(self, action: str, part: Part, items: int) -> None:
        """Open a job for a part, once there is room for one more.

        Raises:
            Stopped: the import is stopping.
            AnotherSource: the run had a different part in this place.
            Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would accept no part.

        """
        if self._stop():
            raise Stopped(f"import {self._run.id} was interrupted")
        digest = blake2b(part.body, digest_size=12).hexdigest()
        if not get_runs().is_same_part(self._run.id, part.number, digest):
            first, *others = parse_rows(part.rows)
            where = f"somewhere in rows {first:,} to {others[-1]:,}" if others else f"in row {first:,}"
            raise AnotherSource(
                self._run.source, f"it has changed since run {self._run.id} began, {where}; import it as a new run"
            )
        id = f"{self._run.id}-{part.number:06d}"
        self._sent.append(id)
        self.bytes += len(part.body)
        self._open(id, action, part, items)

    def _open(self, id: str, action: str, part: Part, items: int) -> None:
        """Open a job for a part, unless it has one that is not to be repeated."""
        ledger, kind = get_ledger(), JOBS[action]
        known = ledger.job(id)
        if known is not None and known.status == "split":
            self._open_halves(known, part)
            return
        if known is not None and (known.state != "settled" or not is_worth_retrying(known)):
            return
        if known is not None:
            ledger.forget(id)
        self.wait(MAX_WAITING_PARTS, MAX_WAITING_BYTES - len(part.body))
        spawn = kind.spawn.declaration
        _, released = ledger.open(
            id, action, self._run.account, Request(spawn.method, spawn.path, {}, part.body),
            lane=self._lane, cap=kind.cap, run=self._run.id, rows=part.rows, items=items,
            once="" if spawn.repeat.blindly else spawn.repeat.note,
        )  # fmt: skip
        go_on(*released)
        self.opened += 1
        self._waiting[id] = len(part.body)

    def _open_halves(self, split: Job, part: Part) -> None:
        """Open jobs for the halves of a split part: one may have landed, the other not."""
        kind, rows = JOBS[split.kind], parse_rows(split.rows)
        middle, whole = len(rows) // 2, Request("POST", "", {}, part.body)
        items = dict(zip(parse_rows(part.rows), records(part.body, kind.path), strict=True))
        for name, own in (("a", rows[:middle]), ("b", rows[middle:])):
            body = replace_records(whole, kind, [items[row] for row in own]).body or b""
            self._open(f"{split.id}{name}", split.kind, replace(part, body=body, rows=format_rows(own)), len(own))

    def wait(self, parts: int, size: int) -> None:
        """Block until fewer than ``parts``, and at most ``size`` bytes of them, wait for their request."""
        while len(self._waiting) >= parts or (self._waiting and sum(self._waiting.values()) > size):
            self.look()
            if self._stop():
                raise Stopped(f"import {self._run.id} was interrupted")
            self._pause(PAUSE_S)
        if len(self._waiting) > parts // 2:
            self.look()

    def require_all(self) -> None:
        """Make sure that Redis knows every part that was sent.

        Raises:
            PartsForgotten: it does not.

        """
        if missing := len({*self._sent} - {*get_runs().jobs(self._run.id)}):
            raise PartsForgotten(self._run.id, missing)

    def look(self) -> None:
        """Check which parts no longer wait, and whether one failed with an error that the others would meet, too.

        Raises:
            Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would accept no part.

        """
        found = get_ledger().jobs(self._waiting)
        for id in list(self._waiting):
            job = found.get(id)
            if job is None or job.state not in ("waiting", "spawning"):
                del self._waiting[id]
            if job is not None and job.failure and isinstance(error := outcome_error(job_failure(job)), FATAL):
                raise error


def job_failure(job: Job) -> dict[str, object]:
    """Return the fields of an outcome that its error is made from."""
    return {"failure": job.failure, "status": job.status, "kind": job.kind, "account": job.account}


def is_worth_retrying(job: Job) -> bool:
    """Return True if a settled part may succeed when sent again: not if Klaviyo refused its records."""
    if job.status == "refused":
        return (job.failure or {}).get("type") not in ("BadRequest", "TooLarge", "Conflict")
    return job.status in AGAIN


def withdraw_parts(run: str) -> int:
    """Take back every part of a run that has not been sent, and return their number."""
    parts = get_runs().jobs(run)
    return sum(bool(withdraw_job(part)) for part in parts)
