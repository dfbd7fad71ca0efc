"""The report of an import, and the file of the rows that have not landed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected, first_unused_path, open_reject_file, read_originals, replace_shorter_copies
from tasks.imports.sources import Record, Source, Unreadable
from tasks.jobs.import_runs import Run, RunState, get_runs
from tasks.jobs.ledger import get_ledger


@dataclass(frozen=True, slots=True)
class Report:
    """How an import ended.

    ``rows`` were read. Of these, ``checked`` were rejected before anything was sent, ``unchanged`` needed no request,
    ``landed`` are at Klaviyo, ``rejected`` were rejected by Klaviyo, ``unknown`` may or may not have landed, and
    ``withdrawn`` were taken back before they were sent. ``requests`` started the ``jobs``. The file ``rejects`` has the
    rows that have not landed, None if all have; ``reasons`` says why, with the number of rows, the most frequent first.
    The withdrawn are not among these: the run sends them when it is resumed. ``left_out`` are columns that were not
    sent although no mapping says so, and why.
    """

    run: str
    state: RunState
    kind: str
    account: str
    rows: int
    checked: int
    unchanged: int
    landed: int
    rejected: int
    unknown: int
    withdrawn: int
    jobs: int
    requests: int
    bytes: int
    seconds: float
    rejects: str | None
    reasons: tuple[tuple[str, int], ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> int:
        """The number of rows that are not certain to have landed."""
        return self.checked + self.rejected + self.unknown


class Rejects:
    """The reject file of one run, written again each time the run is resumed, if there are rows to write.

    An existing file is left alone, since rows in it may have been corrected: the new one is written beside it, and
    replaces it only if nothing is lost.

    If the source can be read again, each row is written as it is there. Otherwise the file is JSON Lines, and a row
    that Klaviyo rejected is written as it was sent.
    """

    def __init__(self, path: Path, source: Source, rereadable: bool) -> None:
        self.path = first_unused_path(path)
        self.reasons = Reasons()
        self._source = source
        self._rereadable = rereadable
        self._wanted = path
        self._layout = source if rereadable else replace(source, columns=None)
        self._context: Any = None
        self._write: Callable[[Rejected], None] | None = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._context is not None:
            self._context.__exit__(*failure)
            self.path = replace_shorter_copies(self.path, self._wanted)

    @property
    def written(self) -> bool:
        """Whether any row was written."""
        return self._write is not None

    def add(self, rejected: Rejected) -> None:
        """Write one row."""
        if self._write is None:
            self._context = open_reject_file(self.path, self._layout)
            self._write = self._context.__enter__()
        assert self._write is not None
        self.reasons.add(rejected.reason, rejected.row)
        self._write(replace(rejected, original=self._as_written(rejected.original)))

    def add_late(self, run: str) -> None:
        """Write the rows of a run that Klaviyo rejected."""
        late = {each["row"]: each for each in late_rejects(run)}
        found: Mapping[int, Record | Unreadable] = {}
        if self._rereadable and late:
            found = dict(read_originals(self._source, late.keys()))
        for row in sorted(late):
            each = late[row]
            original = found.get(row, each.get("sent") or {})
            self.add(Rejected(row, each["stage"], each["reason"], original))

    def _as_written(self, original: Record | Unreadable) -> Record | Unreadable:
        if self._rereadable or isinstance(original, Mapping | Unreadable):
            return original
        return dict(zip(self._source.columns or (), original, strict=False))


def late_rejects(run: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run that Klaviyo rejected: row, stage, reason, and the record as it was sent."""
    for id in get_runs().jobs(run):
        yield from get_ledger().rejects_of(id)


def report(run: Run) -> Report:
    """Return the report of a run so far."""
    jobs = get_ledger().jobs(get_runs().jobs(run.id)).values()
    return Report(
        run=run.id,
        state=run.state,
        kind=run.kind,
        account=run.account,
        rows=run.rows,
        checked=run.checked,
        unchanged=run.unchanged,
        landed=run.landed,
        rejected=run.rejected,
        unknown=run.unknown,
        withdrawn=run.withdrawn,
        jobs=sum(1 for job in jobs if job.status not in ("withdrawn", "split")),
        requests=sum(1 + job.tries for job in jobs if job.sent or job.accepted),
        bytes=run.bytes,
        seconds=round((run.ended or get_runs().now()) - run.started, 3),
        rejects=run.rejects or None,
        reasons=run.reasons,
    )
