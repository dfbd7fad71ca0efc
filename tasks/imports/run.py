"""One import from its first row to its report.

The rows are read, checked and made into requests here; the workers send these, each as a job of the ledger, within
everybody's budget. A run that was broken off is taken up again under its id: the source is read from its beginning, and
what has landed is not sent again.
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
from tasks.imports.kinds import KINDS
from tasks.imports.options import Options
from tasks.imports.parts import Part, parts
from tasks.imports.plan import Plan
from tasks.imports.rejects import Rejected, reject_path
from tasks.imports.report import Rejects, Report, report
from tasks.imports.sending import Sender, Stopped, withdraw
from tasks.imports.sources import STDIN, Format, Source, source_of
from tasks.imports.understanding import understood
from tasks.imports.upsert import UPSERTS, Routed, route
from tasks.jobs.import_runs import Run, get_runs
from tasks.jobs.rows import numbers
from worker.account_and_lane import checked_id, lane_named
from worker.accounts import DEFAULT, account
from worker.connection import AWAY
from worker.errors import InputError, SourceError
from worker.governor import Lane
from worker.settings import get_settings
from worker.traces import tracing

Rows = str | Path | Iterable[Mapping[str, Any]]

#: Seconds between two looks at the parts that are still on their way.
PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Import:
    """What is to be imported, and how.

    ``kind`` is one of `tasks.imports.kinds.KINDS`, or `upsert_catalog_items` and its like. ``rows``: a path, ``-`` for
    standard input, or mappings. ``format`` is told by a file's name where it is left out.
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
        """Where the rows can be read a second time, if they can."""
        return Path(self.rows) if isinstance(self.rows, str | Path) and str(self.rows) != STDIN else None

    def opened(self) -> tuple[Source, Plan]:
        """The source and how its rows become requests.

        Raises:
            InputError, SourceError: something about them is wrong; nothing was sent.

        """
        account(get_settings(), self.account)
        lane_named("import", self.lane)
        source = source_of(self.rows, self.format, self.delimiter, self.encoding)
        return understood(source, UPSERTS.get(self.kind, self.kind), self.options)

    def asked(self) -> dict[str, Any]:
        """The same as JSON, by which a run is known again, and by which it can be asked for once more."""
        options = asdict(self.options)
        options["moment"] = self.options.moment.isoformat()
        path = str(self.file.absolute()) if self.file else None
        told: dict[str, Any] = {"path": path, "format": self.format, "delimiter": self.delimiter, "lane": self.lane}
        # What was not said is not told, so that runs of before there was such an option are known again.
        for name in ("country", "export", "dates", "decimals", "consent", "clear_empty"):
            if not options[name]:
                del options[name]
        told |= {"encoding": self.encoding} if self.encoding else {}
        told |= {"options": options}
        as_json: dict[str, Any] = orjson.loads(orjson.dumps(told))
        return as_json


def asked_again(run: Run) -> Import:
    """The import that a run was, to be carried out once more.

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


def new_run() -> str:
    """An id for a run: when it began, and what tells it from others of that second."""
    return f"{rules.now():%Y%m%d-%H%M%S}-{rules.new_id()[:4]}"


def run_import(
    wanted: Import,
    run: str | None = None,
    rejects: Path | None = None,
    progress: Callable[[Run], None] = lambda run: None,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Import rows, and wait until it is known what became of each.

    Args:
        wanted: what and how.
        run: the id of a run that was broken off, or one of your own choosing for a new one.
        rejects: where to tell the rows that do not land; beside the source, named after the run, where it is left out.
        progress: told the run as it stands, a few times a second.
        stop: asked before each part; True breaks the run off, and it can be taken up again.

    Raises:
        InputError, SourceError: the call or the source is wrong.
        Unauthorized, Forbidden, Gone, SettingsError: Klaviyo would take no part. The rest was taken back.
        Stopped: ``stop`` said so, or the run was cancelled.
        redis.ConnectionError, redis.TimeoutError: Redis was away for too long. The run can be taken up again.

    """
    id, runs = checked_id("import", run or new_run()), get_runs()
    before = runs.run(id)
    if before is not None and wanted.kind in UPSERTS:
        again = "begin it anew, it compares with what is there"
        raise InputError("import", [f"run {id} compared with a catalog that it has changed since: {again}"])
    if before is not None:
        # The moment is the time of events that have none: another one would make other requests.
        moment = datetime.fromisoformat(before.asked["options"]["moment"])
        wanted = replace(wanted, options=replace(wanted.options, moment=moment))
    source, plan = wanted.opened()
    alias, asked = account(get_settings(), wanted.account).alias, wanted.asked()
    if before is not None and (before.kind, before.account, before.asked) != (wanted.kind, alias, asked):
        raise InputError("import", [f"run {id} was another import: of {before.kind} from {before.source}"])
    path = reject_path(rejects, wanted.file, source, id)
    this = runs.begin(id, wanted.kind, alias, source.name, asked)
    told = Rejects(path, source, rereadable=wanted.file is not None)
    seen = _Watched(id, told, progress)
    seen.look(at_once=True)

    def stopped() -> bool:
        seen.look()
        return stop() or seen.run.state == "cancelled"

    sender = Sender(this, wanted.lane, stopped)
    with tracing(f"import {wanted.kind}", account=alias), told:
        try:
            _send(wanted, source, plan, sender, told, seen)
            seen.look(at_once=True)
            while seen.look().settled < seen.run.parts:
                sender.look()
                if stopped():
                    raise Stopped(f"import {id} is broken off")
                time.sleep(PAUSE)
            sender.look()
        except Stopped:
            seen.look(at_once=True)
            if seen.run.state == "cancelled":
                withdraw(id)
                runs.end(id, "cancelled")
            raise
        except AWAY:
            # Nothing can be taken back now, nor written down; the run can be taken up again.
            raise
        except Exception as error:
            if before is not None and isinstance(error, InputError | SourceError) and not sender.opened:
                # Nothing was sent: what is known of the run, which may have ended long ago, stays as it was.
                runs.restore(before)
                raise
            seen.look(at_once=True)
            withdraw(id)
            reason = str(error)
            runs.end(id, "failed", reason)
            raise
        told.add_late(id)
    runs.end(id, "complete")
    return replace(report(seen.look(at_once=True)), left_out=tuple(plan.told.items()))


def cancel_import(run: str) -> int:
    """Cancel a run: no more of it is read, and what has not been sent is taken back; how many parts that were."""
    known = get_runs().run(run)
    if known is None or known.ended:
        return 0
    get_runs().cancel(run)
    taken = withdraw(run)
    # Whoever reads its source may be gone.
    get_runs().end(run, "cancelled")
    return taken


class _Watched:
    """A run as it stands, asked for a few times a second at the most."""

    def __init__(self, id: str, told: Rejects, progress: Callable[[Run], None]) -> None:
        self._id = id
        self._told = told
        self._progress = progress
        self._looked = 0.0
        self.counts = {"rows": 0, "bytes": 0, "checked": 0, "unchanged": 0, "read": 0, "size": 0}
        self.run = self._read()

    def look(self, at_once: bool = False) -> Run:
        """The run, with what has been read of its source written down."""
        if at_once or time.monotonic() - self._looked >= PAUSE:
            path, reasons = str(self._told.path) if self._told.written else "", self._told.reasons.most_frequent()
            get_runs().note(self._id, path, reasons, **self.counts)
            self.run = self._read()
            self._progress(self.run)
        return self.run

    def _read(self) -> Run:
        self._looked = time.monotonic()
        found = get_runs().run(self._id)
        assert found is not None
        return found


def _send(wanted: Import, source: Source, plan: Plan, sender: Sender, told: Rejects, seen: _Watched) -> None:
    counts = seen.counts
    for each in routed(wanted, source, plan):
        if isinstance(each, Rejected):
            told.add(each)
            counts["rows"] += 1
            counts["checked"] += 1
            continue
        counts["rows"] += each.unchanged
        counts["unchanged"] += each.unchanged
        if each.part is not None:
            items = len(numbers(each.part.rows))
            sender.send(each.action, each.part, items)
            counts["rows"] += items
            counts["bytes"] = sender.bytes
        counts["read"], counts["size"] = source.meter.read, source.meter.size
        seen.look()
    counts["read"] = counts["size"]


def routed(wanted: Import, source: Source, plan: Plan) -> Iterator[Routed | Rejected]:
    """The parts of an import, each with the action that takes it, and the rows that were turned down."""
    made = parts(source, plan)
    if wanted.kind in UPSERTS:
        return route(made, plan, wanted.account)
    action = KINDS[wanted.kind].action
    return (Routed(action, each) if isinstance(each, Part) else each for each in made)
