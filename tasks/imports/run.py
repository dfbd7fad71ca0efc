"""One import from its first row to its report.

The rows are read, checked and made into requests here; the workers send these, each as a job of the ledger, within the
account's budget. An interrupted run is resumed under its id: the source is read from its beginning, and what has landed
is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tasks import rules
from tasks.imports.interpretation import interpret
from tasks.imports.kinds import KINDS
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.plan import Plan
from tasks.imports.rejects import Rejected, Rejects, reject_path, watch_file
from tasks.imports.report import Report, report
from tasks.imports.sending import RunForgotten, Sender, Stopped, withdraw_parts
from tasks.imports.sources import STDIN, Format, Source, open_rows
from tasks.imports.upsert import UPSERTS, Routed, route
from tasks.jobs.import_runs import Run, get_runs
from tasks.jobs.ledger import get_ledger
from tasks.jobs.rows import parse_rows
from worker.account_and_lane import checked_id, lane_named
from worker.accounts.lookup import DEFAULT, account
from worker.errors import InputError, KlaviyoError, SourceError, reason_to_show
from worker.governor import Lane
from worker.redis.connection import AWAY
from worker.redis.homes import first
from worker.settings import get_settings
from worker.telemetry.traces import tracing

Rows = str | Path | Iterable[Mapping[str, Any]]

#: The interval at which the parts that are still on their way are checked.
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Import:
    """What to import, and how.

    kind: one of `tasks.imports.kinds.KINDS`, or `upsert_catalog_items` and the like. rows: a path, ``-`` for standard
    input, or mappings. format: that of the file's name if it is left out.
    """

    kind: str
    rows: Rows
    options: Options = field(default_factory=Options)
    account: str = DEFAULT
    lane: Lane = "bulk"
    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None

    @property
    def file(self) -> Path | None:
        """The file that the rows can be read from again, if there is one."""
        return Path(self.rows) if isinstance(self.rows, str | Path) and str(self.rows) != STDIN else None

    def open(self) -> tuple[Source, Plan]:
        """Open the source, and work out how its rows become requests.

        Raises:
            InputError, SourceError: something about them is wrong; nothing has been sent.

        """
        account(get_settings(), self.account)
        lane_named("import", self.lane)
        source = open_rows(self.rows, self.format, self.delimiter, self.encoding)
        return interpret(source, UPSERTS.get(self.kind, self.kind), self.options)

    def as_request(self) -> dict[str, Any]:
        """Return the import as JSON, which identifies a run that is resumed, and can be imported again."""
        options = asdict(self.options)
        options["moment"] = self.options.moment.isoformat()
        path = str(self.file.absolute()) if self.file else None
        request: dict[str, Any] = {"path": path, "format": self.format, "delimiter": self.delimiter, "lane": self.lane}
        # Options that were not given are left out, so that runs from before such an option existed are recognised.
        for name in ("country", "export", "dates", "decimals", "consent", "clear_empty"):
            if not options[name]:
                del options[name]
        request |= {"encoding": self.encoding} if self.encoding else {}
        request |= {"options": options}
        as_json: dict[str, Any] = orjson.loads(orjson.dumps(request))
        return as_json


def repeat_import(run: Run) -> Import:
    """Return the import of a run, to be carried out again.

    Raises:
        InputError: its rows came from standard input, or from a program.

    """
    asked = dict(run.asked)
    path, options = asked.pop("path"), asked.pop("options")
    if path is None:
        raise InputError("reimport", [f"the rows of run {run.id} came from {run.source}: import them again from there"])
    options = {**options, "mapping": tuple(options["mapping"]), "channels": tuple(options["channels"])}
    options["moment"] = datetime.fromisoformat(options["moment"])
    return Import(kind=run.kind, rows=path, account=run.account, options=Options(**options), **asked)


def new_run_id() -> str:
    """Return an id for a run: when it began, and a suffix that makes it unique within that second."""
    return f"{rules.now():%Y%m%d-%H%M%S}-{rules.new_id()[:4]}"


def run_import(
    wanted: Import,
    run: str | None = None,
    rejects: Path | None = None,
    progress: Callable[[Run], None] = lambda run: None,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Import rows, and wait until the outcome of each is known.

    Args:
        wanted: what and how.
        run: the id of a run to resume, or an id of your choice for a new one.
        rejects: the file for rows that do not land; by default beside the source, named after the run.
        progress: called with the run a few times a second.
        stop: called before each part; True interrupts the run, which can be resumed.

    Raises:
        InputError, SourceError: the call or the source is wrong.
        Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would accept no part. The rest was taken back.
        Stopped: ``stop`` returned True, or the run was cancelled.
        RejectsNotWritten: a row that was rejected before it was sent cannot be written. The rest was taken back.
        PartsForgotten, RunForgotten: Redis has lost what it knew.
        redis.ConnectionError, redis.TimeoutError: Redis was away for too long. The run can be resumed.

    """
    id, runs = checked_id("import", run or new_run_id()), get_runs()
    before = runs.run(id)
    if before is not None:
        wanted = _as_resumed(wanted, before)
    # Before it is opened, so that no change goes unnoticed.
    has_changed = watch_file(wanted.file) if wanted.file else None
    source, plan = wanted.open()
    alias, asked = account(get_settings(), wanted.account).alias, wanted.as_request()
    if before is not None and (before.kind, before.account, before.asked) != (wanted.kind, alias, asked):
        raise InputError("import", [f"run {id} was a different import: of {before.kind} from {before.source}"])
    path = reject_path(rejects, wanted.file, source, id)
    this = runs.begin(id, wanted.kind, alias, source.name, asked)
    rejected = Rejects(path, source, has_changed)
    current = _RunState(id, rejected, progress)

    def stopped() -> bool:
        current.refresh()
        return stop() or current.run.state == "cancelled"

    sender = Sender(this, wanted.lane, stopped)
    with tracing(f"import {wanted.kind}", account=alias), rejected:
        try:
            current.refresh(at_once=True)
            _send(wanted, source, plan, sender, rejected, current)
            current.refresh(at_once=True)
            while current.run.settled < current.run.parts:
                sender.check_waiting()
                if stopped():
                    raise Stopped(f"import {id} was interrupted")
                time.sleep(PAUSE_S)
                current.refresh()
            sender.check_waiting()
            sender.require_all()
        except Stopped:
            current.refresh(at_once=True)
            if current.run.state == "cancelled":
                withdraw_parts(id)
                runs.end(id, "cancelled")
            raise
        except (*AWAY, RunForgotten):
            # Nothing can be taken back or recorded now; unless Redis has lost the run, it can be resumed.
            raise
        except Exception as error:
            if before is not None and isinstance(error, InputError | SourceError) and not sender.opened:
                # Nothing was sent: the record of the run, which may have ended long ago, stays as it was.
                runs.restore(before)
                raise
            current.record()  # ``progress`` may be what failed
            withdraw_parts(id)
            runs.end(id, "failed", reason_to_show(error))
            raise
        note = _add_late_rejects(rejected, wanted, id)
    runs.end(id, "complete", note)
    return replace(report(current.refresh(at_once=True)), left_out=tuple(plan.all_left_out.items()))


def _as_resumed(wanted: Import, before: Run) -> Import:
    """Return an import as its run is resumed: with the moment of its beginning, so that it makes the same requests.

    Raises:
        InputError: the run cannot be resumed.

    """
    if wanted.kind in UPSERTS:
        why = "it has changed the catalog it compared with"
    elif forgotten := get_ledger().count_forgotten(get_runs().jobs(before.id)):
        why = f"the outcome of {forgotten:,} of its parts is forgotten after two weeks, and they would be sent again"
    else:
        moment = datetime.fromisoformat(before.asked["options"]["moment"])
        return replace(wanted, options=replace(wanted.options, moment=moment))
    raise InputError("import", [f"run {before.id} cannot be resumed, since {why}: start a new run"])


def _add_late_rejects(rejected: Rejects, wanted: Import, run: str) -> str:
    """Write the rows that Klaviyo rejected, and return what to know about the reject file.

    The outcome of each row is known by now, so a reject file that cannot be written does not keep the run from ending.
    """
    try:
        note = rejected.add_late(run)
        rejected.close()
    except AWAY:
        raise
    except Exception as error:
        again = (
            "import the same rows again, as a new run, to have the reject file"
            if wanted.kind in UPSERTS
            else f"resume the run to have the reject file: the same klaviyo import with --run {run}"
        )
        foreseen, what = isinstance(error, KlaviyoError), reason_to_show(error)
        if not foreseen:
            what = f"The reject file cannot be written: {what}."
        note = f"{what} Once that is mended, {again}"
        if not foreseen:
            get_runs().end(run, "complete", note)
            raise
    return note


def cancel_import(run: str) -> int:
    """Cancel a run: stop reading, take back what has not been sent, and return the number of parts taken back."""
    return first(lambda: _cancel_here(run)) or 0


def _cancel_here(run: str) -> int | None:
    known = get_runs().run(run)
    if known is None or known.ended:
        return None
    get_runs().cancel(run)
    taken = withdraw_parts(run)
    # The process that reads its source may be gone.
    get_runs().end(run, "cancelled")
    return taken


class _RunState:
    """A run's current state, read a few times a second at most."""

    def __init__(self, id: str, rejected: Rejects, progress: Callable[[Run], None]) -> None:
        self._id = id
        self._rejected = rejected
        self._progress = progress
        self._refreshed_at = 0.0
        self.counts = {"rows": 0, "bytes": 0, "checked": 0, "unchanged": 0, "read": 0, "size": 0}
        self.run = self._read()

    def refresh(self, at_once: bool = False) -> Run:
        """Record and show how much of the source has been read, and return the run."""
        if at_once or time.monotonic() - self._refreshed_at >= PAUSE_S:
            self.record()
            self.run = self._read()
            self._progress(self.run)
        return self.run

    def record(self) -> None:
        """Record how much of the source has been read, and which rows were rejected."""
        path = str(self._rejected.path) if self._rejected.written else ""
        reasons = self._rejected.reasons
        found = reasons.most_frequent()
        get_runs().record_progress(self._id, path, found, [reasons.rows(reason) for reason, _ in found], **self.counts)

    def _read(self) -> Run:
        self._refreshed_at = time.monotonic()
        if (found := get_runs().run(self._id)) is None:
            raise RunForgotten(self._id)
        return found


def _send(wanted: Import, source: Source, plan: Plan, sender: Sender, rejected: Rejects, current: _RunState) -> None:
    counts = current.counts
    for each in route_parts(wanted, source, plan):
        if isinstance(each, Rejected):
            rejected.add(each)
            counts["rows"] += 1
            counts["checked"] += 1
            continue
        counts["rows"] += each.unchanged
        counts["unchanged"] += each.unchanged
        if each.part is not None:
            items = len(parse_rows(each.part.rows))
            sender.send(each.action, each.part, items)
            counts["rows"] += items
            counts["bytes"] = sender.bytes
        counts["read"], counts["size"] = source.meter.read, source.meter.size
        current.refresh()
    counts["read"] = counts["size"]


def route_parts(wanted: Import, source: Source, plan: Plan) -> Iterator[Routed | Rejected]:
    """Yield the parts of an import, each with its action, and the rejected rows."""
    made = split_into_parts(source, plan)
    if wanted.kind in UPSERTS:
        return route(made, plan, wanted.account)
    action = KINDS[wanted.kind].action
    return (Routed(action, each) if isinstance(each, Part) else each for each in made)
