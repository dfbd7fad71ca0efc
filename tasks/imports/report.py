"""The report of an import."""

from __future__ import annotations

from dataclasses import dataclass

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
    sent although no mapping says so, and why. ``note`` is what to know about the reject file, such as that it could not
    be written; empty if there is nothing.
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
    note: str = ""

    @property
    def failed(self) -> int:
        """The number of rows that are not certain to have landed."""
        return self.checked + self.rejected + self.unknown


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
        note=run.reason,
    )
