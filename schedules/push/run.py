"""Pushing a source to Klaviyo so that only what has changed since the last run travels.

A run reads its source whole, compares each row with what was last sent and landed, and imports the rest. Whatever dies,
the next run goes on with it: it waits for what is on its way, and then reads the source anew, which may have changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

from schedules.clock import present
from schedules.push.choice import Choice, Outgoing
from schedules.push.fate import fate
from schedules.push.hashes import Records
from schedules.push.kinds import Delete, Kind, Push
from schedules.push.lock import held
from schedules.push.plan import planned
from schedules.push.report import NotDeleted, PushReport, State
from schedules.store import runs
from schedules.store.connection import reading, transaction
from tasks.imports.run import Import, Rows, new_run
from tasks.imports.sending import Sender, Stopped, withdraw
from tasks.jobs.ledger import get_ledger
from tasks.jobs.runs import get_runs
from worker.accounts import DEFAULT
from worker.accounts import account as account_of
from worker.errors import KlaviyoError
from worker.patience import LeftBehind, patiently
from worker.settings import get_settings

#: Seconds between two looks at the parts that are on their way, and how many of these are looked at.
PAUSE, LOOKED_AT = 0.25, 100

#: Of so many records that were pushed one may be missing from the source; more, and it is taken for broken.
TENTH = 10

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
    delete: Delete = "none",
    account: str = DEFAULT,
    force: bool = False,
    progress: Progress = lambda report: None,
) -> PushReport:
    """Push what has changed, and wait until it is known what became of it; see `Push` and `run_push`.

    push("catalog_items", "sql:SELECT sku AS external_id, title, … FROM products", database_url="postgresql://…")
    """
    wanted = Push(kind, rows, name, database_url, mapping, fixed or {}, time_zone, delete, account)
    return run_push(wanted, force=force, progress=progress)


def run_push(
    wanted: Push,
    *,
    force: bool = False,
    progress: Progress = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
    token: str | None = None,
) -> PushReport:
    """Carry a push out, or go on with a run of it that was broken off.

    Args:
        wanted: what.
        force: delete even where more than a tenth of the records are missing.
        progress: told the run as it stands, a few times a second.
        stop: asked again and again; True breaks the run off, and the next one goes on with it.
        token: by whom the run is held; a message that is delivered once more has the same.

    Raises:
        InputError, SourceError: the push, its settings or its source are wrong.
        NotDeleted: too much is missing from the source; all but the deletions was carried out.
        Held: it is running already.
        Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would take no part.
        Stopped: ``stop`` said so, or its import was cancelled.

    """
    kind = wanted.checked()
    alias = account_of(get_settings(), wanted.account).alias
    with held(alias, wanted.stream, token or str(uuid4())) as lost:
        running = _Running(wanted, kind, alias, progress, lambda: stop() or lost.is_set())
        try:
            return running.carry_through(force)
        except (LeftBehind, DBAPIError):
            # Still on record as running. Where the store is away there is nowhere to say anything else.
            raise
        except Exception as error:
            if not isinstance(error, Stopped) or running.cancelled:
                running.fail(error)
            raise


class _Running:
    """One run."""

    def __init__(self, wanted: Push, kind: Kind, alias: str, progress: Progress, stop: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._kind = kind
        self._alias = alias
        self._progress = progress
        self._stop = stop
        self._records = Records(alias, wanted.stream)
        self._choice: Choice | None = None
        self._looked = 0.0
        self._failed = False
        self._note: str | None = None
        self._began = present()
        with transaction() as connection:
            last = runs.last(connection, alias, wanted.stream, "push")
            if last is not None and last["state"] == "running":
                self.id, self._began = last["id"], last["started"]
            else:
                self.id = runs.begin(connection, alias, wanted.stream, "push", "incremental", self._began)
        self._import = f"push-{self.id}-{new_run()}"

    def carry_through(self, force: bool) -> PushReport:
        """See it through to its end."""
        self._wait()
        before = self._take_up()
        source, plan = planned(self._wanted, self._kind)
        asked = Import(self._kind.rows.name, (), plan.options, self._alias).asked()
        this = patiently(lambda: get_runs().begin(self._import, self._kind.rows.name, self._alias, source.name, asked))
        sender = Sender(this, "bulk", self._stopped)
        deletes = self._wanted.delete == "missing"
        self._choice = Choice(self._kind, plan, self._records, self.id, marks=deletes)
        self._send(sender, self._choice.changes(source))
        self._wait()
        # What an earlier process of this run has landed is no change any more.
        self._choice.tally.unchanged = max(0, self._choice.tally.unchanged - before)
        if deletes and self._may_delete(force):
            self._send(sender, self._choice.missing())
            self._wait()
        patiently(lambda: get_runs().end(self._import, "complete"))
        return self._end("done")

    def fail(self, error: Exception) -> None:
        """It cannot be seen through. What has been sent is looked after by the next run."""
        self._failed = True
        withdraw(self._import)
        reason = str(error) if isinstance(error, KlaviyoError) else type(error).__name__
        patiently(lambda: get_runs().end(self._import, "failed", reason))
        self._look()
        self._note = reason
        self._end("failed")

    def _take_up(self) -> int:
        """Note under which import's id this process sends; how many rows have landed before."""
        with transaction() as connection:
            report = dict(runs.run(connection, self.id)["report"] or {})
            runs.note(connection, self.id, report | {"import": self._import})
        if earlier := report.get("import"):
            patiently(lambda: get_runs().end(earlier, "cancelled", f"it was broken off and went on as {self._import}"))
        return int(report.get("created", 0) + report.get("updated", 0))

    def _send(self, sender: Sender, outgoing: Iterator[Outgoing | None]) -> None:
        for each in outgoing:
            if self._stopped():
                raise Stopped(f"push {self._wanted.stream} is broken off; the next run goes on with it")
            if each is not None:
                part = replace(each.part, number=sender.sent + 1)
                with transaction() as connection:
                    self._records.send(connection, f"{self._import}-{part.number:06d}", self.id, each.rows)
                sender.send(each.action, part, len(each.rows))
            if time.monotonic() - self._looked >= PAUSE:
                self._look()

    def _wait(self) -> None:
        """Wait until it is known what became of every part that was sent."""
        while self._look():
            if self._stopped():
                raise Stopped(f"push {self._wanted.stream} is broken off; the next run goes on with it")
            time.sleep(PAUSE)

    def _look(self) -> int:
        """Write down what became of parts that were sent; how many there are whose end is not known.

        Raises:
            Unauthorized, Forbidden, Gone, SettingsError: Klaviyo takes no part.

        """
        with reading() as connection:
            parts = self._records.on_their_way(connection, LOOKED_AT)
        left = 0
        for part in parts:
            if (ended := fate(part)) is None:
                left += 1
                continue
            told, now = {"rejected": ended.rejected, "unknown": ended.unknown}, present()
            with transaction() as connection:
                self._records.land(connection, part, ended.lost, told, now)
            if self._choice:
                for reason in ended.reasons:
                    self._choice.tally.reasons.add(reason)
            if ended.fatal and part.startswith(self._import) and not self._failed:
                raise ended.fatal
        self._looked = time.monotonic()
        if self._choice:
            self._progress(self._report("running"))
        return left + (len(parts) == LOOKED_AT)

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled its import."""
        this = patiently(lambda: get_runs().run(self._import))
        return this is not None and this.state == "cancelled"

    def _stopped(self) -> bool:
        return self._stop() or self.cancelled

    def _may_delete(self, force: bool) -> bool:
        """Whether the source can be believed where it is silent.

        Raises:
            NotDeleted: too much is missing.

        """
        assert self._choice
        tally = self._choice.tally
        if nameless := tally.nameless:
            self._note = f"nothing was deleted: {nameless:,} rows could not be read, and may be about what is missing"
            return False
        with reading() as connection:
            missing = self._records.count(connection, unseen_by=self.id)
            known = self._records.count(connection)
            told = runs.run(connection, self.id)["report"] or {}
        if missing * TENTH > known and not force:
            created, updated, rejected, unknown = (
                told.get(name, 0) for name in ("created", "updated", "rejected", "unknown")
            )
            failed = tally.checked + rejected + unknown
            raise NotDeleted(self._alias, self._wanted.stream, missing, known, created, updated, failed)
        return missing > 0

    def _report(self, state: State) -> PushReport:
        with reading() as connection:
            row = runs.run(connection, self.id)
        counted, tally = row["report"] or {}, self._choice.tally if self._choice else None
        names = ("created", "updated", "deleted", "rejected", "unknown")
        jobs = patiently(lambda: get_ledger().jobs(get_runs().jobs(self._import))) if state != "running" else {}
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
            seconds=round((present() - self._began).total_seconds(), 3),
            reasons=tuple(tally.reasons.most_frequent()) if tally else (),
            note=self._note,
            **{name: counted.get(name, 0) for name in names},
        )

    def _end(self, state: Literal["done", "failed"]) -> PushReport:
        report, now = self._report(state), present()
        with transaction() as connection:
            counts = report.rows, report.requests
            runs.end(connection, self.id, state, now, report.told(), counts)
        self._progress(report)
        return report
