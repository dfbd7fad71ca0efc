"""Runs of pushes: sending to Klaviyo only what has changed in a source since the last run.

A run reads its source whole, compares each row with what was last sent and landed, and imports the rest. If a process
dies, the next one continues the run: it waits for the parts in flight, then reads the source again, which may have
changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

from schedules.clock import current_time
from schedules.push.choice import OutgoingPart, Selection
from schedules.push.hashes import PushedRecords
from schedules.push.kinds import Delete, Push, PushKind
from schedules.push.lock import hold_lock
from schedules.push.mapping import open_and_map
from schedules.push.part_outcome import part_outcome
from schedules.push.report import NotDeleted, PushReport, State
from schedules.store import runs
from schedules.store.connection import reading, transaction
from tasks.imports.amounts import DecimalMark
from tasks.imports.dates import DayOrder
from tasks.imports.run import Import, Rows, new_run_id
from tasks.imports.sending import Sender, Stopped, withdraw_parts
from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import get_ledger
from worker.accounts.lookup import DEFAULT
from worker.accounts.lookup import account as account_of
from worker.errors import reason_to_show
from worker.process.left_behind import LeftBehind
from worker.redis.homes import at_home
from worker.settings import get_settings

#: Seconds between two polls of the parts in flight, and how many of them one poll checks.
POLL_INTERVAL_S, PARTS_PER_POLL = 0.25, 100

#: One in ten pushed records may be missing from the source; if more are, the source is taken to be broken.
RECORDS_PER_MISSING = 10

Progress = Callable[[PushReport], Any]


def push(
    kind: str,
    rows: Rows,
    *,
    name: str = "",
    database_url: str | None = None,
    mapping: Sequence[str] = (),
    fixed: Mapping[str, Any] | None = None,
    time_zone: str | None = None,
    country: str | None = None,
    dates: DayOrder | None = None,
    decimals: DecimalMark | None = None,
    delete: Delete = "none",
    account: str = DEFAULT,
    force: bool = False,
    progress: Progress = lambda report: None,
) -> PushReport:
    """Push what has changed, and wait until the outcome is known; see `Push` and `run_push`.

    push("catalog_items", "sql:SELECT sku AS external_id, title, … FROM products", database_url="postgresql://…")
    """
    wanted = Push(
        kind, rows, name, database_url, mapping, fixed or {}, time_zone, delete, account, country, dates, decimals
    )
    return run_push(wanted, force=force, progress=progress)


def run_push(
    wanted: Push,
    *,
    force: bool = False,
    progress: Progress = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
    token: str | None = None,
) -> PushReport:
    """Carry out a push, or continue a run of it that was interrupted.

    Args:
        wanted: what to push.
        force: delete even if more than a tenth of the records are missing.
        progress: called with the state of the run, a few times a second.
        stop: called again and again; True interrupts the run, and the next one continues it.
        token: identifies the holder of the run; a message that is delivered again has the same one.

    Raises:
        InputError, SourceError: the push, its settings or its source are wrong.
        NotDeleted: too many records are missing from the source; everything but deleting was done.
        AlreadyRunning: another process runs it.
        Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would accept no part.
        Stopped: ``stop`` returned True, or its import was cancelled.

    """
    kind = wanted.checked()
    alias = account_of(get_settings(), wanted.account).alias
    with at_home(alias), hold_lock(alias, wanted.stream, token or str(uuid4())) as lost:
        running = _Running(wanted, kind, alias, progress, lambda: stop() or lost.is_set())
        try:
            return running.carry_through(force)
        except (LeftBehind, DBAPIError):
            # The run stays recorded as running. If the store is down, nothing else can be recorded anyway.
            raise
        except Exception as error:
            if not isinstance(error, Stopped) or running.cancelled:
                running.fail(error)
            raise


class _Running:
    """One run of a push."""

    def __init__(self, wanted: Push, kind: PushKind, alias: str, progress: Progress, stop: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._kind = kind
        self._alias = alias
        self._progress = progress
        self._stop = stop
        self._records = PushedRecords(alias, wanted.stream)
        self._selection: Selection | None = None
        self._polled_at = 0.0
        self._failed = False
        self._note: str | None = None
        self._began = current_time()
        with transaction() as connection:
            last = runs.latest(connection, alias, wanted.stream, "push")
            if last is not None and last["state"] == "running":
                self.id, self._began = last["id"], last["started"]
            else:
                self.id = runs.create(connection, alias, wanted.stream, "push", "incremental", self._began)
        self._import = f"push-{self.id}-{new_run_id()}"

    def carry_through(self, force: bool) -> PushReport:
        """Carry the run through to its end."""
        self._wait_for_parts()
        before = self._take_over_run()
        source, plan = open_and_map(self._wanted, self._kind)
        asked = Import(self._kind.rows.name, (), plan.options, self._alias).as_request()
        this = get_runs().begin(self._import, self._kind.rows.name, self._alias, source.name, asked)
        sender = Sender(this, "bulk", self._stopped)
        deletes = self._wanted.delete == "missing"
        self._selection = Selection(self._kind, plan, self._records, self.id, marks=deletes)
        self._send(sender, self._selection.select_changes(source))
        self._wait_for_parts()
        # What an earlier process of this run has landed would be counted as unchanged.
        self._selection.tally.unchanged = max(0, self._selection.tally.unchanged - before)
        if deletes and self._may_delete(force):
            self._send(sender, self._selection.select_missing())
            self._wait_for_parts()
        get_runs().end(self._import, "complete")
        return self._end_run("done")

    def fail(self, error: Exception) -> None:
        """End the run as failed. The next run records the parts that are still in flight."""
        self._failed = True
        withdraw_parts(self._import)
        reason = reason_to_show(error)
        get_runs().end(self._import, "failed", reason)
        self._poll_parts()
        self._note = reason
        self._end_run("failed")

    def _take_over_run(self) -> int:
        """Record the import id under which this process sends; return how many records the run has landed before."""
        with transaction() as connection:
            report = dict(runs.get(connection, self.id)["report"] or {})
            runs.set_report(connection, self.id, report | {"import": self._import})
        if earlier := report.get("import"):
            get_runs().end(earlier, "cancelled", f"interrupted; it continued as {self._import}")
        return int(report.get("created", 0) + report.get("updated", 0))

    def _send(self, sender: Sender, outgoing: Iterator[OutgoingPart | None]) -> None:
        for each in outgoing:
            if self._stopped():
                raise Stopped(f"push {self._wanted.stream} is interrupted; the next run continues it")
            if each is not None:
                part = replace(each.part, number=sender.sent + 1)
                with transaction() as connection:
                    self._records.add_part(connection, f"{self._import}-{part.number:06d}", self.id, each.rows)
                sender.send(each.action, part, len(each.rows))
            if time.monotonic() - self._polled_at >= POLL_INTERVAL_S:
                self._poll_parts()

    def _wait_for_parts(self) -> None:
        """Wait until the outcome of every part is known."""
        while self._poll_parts():
            if self._stopped():
                raise Stopped(f"push {self._wanted.stream} is interrupted; the next run continues it")
            time.sleep(POLL_INTERVAL_S)

    def _poll_parts(self) -> int:
        """Record the outcomes of parts that were sent; return how many are still in flight.

        Raises:
            Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would accept no part.

        """
        with reading() as connection:
            parts = self._records.parts_in_flight(connection, PARTS_PER_POLL)
        left = 0
        for part in parts:
            if (ended := part_outcome(part)) is None:
                left += 1
                continue
            counts, now = {"rejected": ended.rejected, "unknown": ended.unknown}, current_time()
            with transaction() as connection:
                self._records.settle_part(connection, part, ended.lost, counts, now)
            if self._selection:
                for reason in ended.reasons:
                    self._selection.tally.reasons.add(reason)
            if ended.fatal and part.startswith(self._import) and not self._failed:
                raise ended.fatal
        self._polled_at = time.monotonic()
        if self._selection:
            self._progress(self._report("running"))
        return left + (len(parts) == PARTS_PER_POLL)

    @property
    def cancelled(self) -> bool:
        """Return True if its import was cancelled."""
        this = get_runs().run(self._import)
        return this is not None and this.state == "cancelled"

    def _stopped(self) -> bool:
        return self._stop() or self.cancelled

    def _may_delete(self, force: bool) -> bool:
        """Return True if there are records to delete and the source can be trusted not to have lost them.

        Raises:
            NotDeleted: too many records are missing.

        """
        assert self._selection
        tally = self._selection.tally
        if nameless := tally.nameless:
            self._note = (
                f"nothing was deleted: {nameless:,} rows could not be read, and may be the ones that seem missing"
            )
            return False
        with reading() as connection:
            missing = self._records.count(connection, unseen_by=self.id)
            known = self._records.count(connection)
            counts = runs.get(connection, self.id)["report"] or {}
        if missing * RECORDS_PER_MISSING > known and not force:
            created, updated, rejected, unknown = (
                counts.get(name, 0) for name in ("created", "updated", "rejected", "unknown")
            )
            failed = tally.checked + rejected + unknown
            raise NotDeleted(self._alias, self._wanted.stream, missing, known, created, updated, failed)
        return missing > 0

    def _report(self, state: State) -> PushReport:
        with reading() as connection:
            row = runs.get(connection, self.id)
        counted, tally = row["report"] or {}, self._selection.tally if self._selection else None
        names = ("created", "updated", "deleted", "rejected", "unknown")
        jobs = get_ledger().jobs(get_runs().jobs(self._import)) if state != "running" else {}
        sent = sum(1 + job.tries for job in jobs.values() if job.sent or job.accepted)
        return PushReport(
            run=self.id,
            stream=self._wanted.stream,
            account=self._alias,
            state=state,
            rows=tally.rows if tally else 0,
            unchanged=tally.unchanged if tally else 0,
            checked=tally.checked if tally else 0,
            requests=sent + (tally.lookups if tally else 0),
            seconds=round((current_time() - self._began).total_seconds(), 3),
            reasons=tuple(tally.reasons.most_frequent()) if tally else (),
            note=self._note,
            **{name: counted.get(name, 0) for name in names},
        )

    def _end_run(self, state: Literal["done", "failed"]) -> PushReport:
        report, now = self._report(state), current_time()
        with transaction() as connection:
            counts = report.rows, report.requests
            runs.end(connection, self.id, state, now, report.as_dict(), counts)
        self._progress(report)
        return report
