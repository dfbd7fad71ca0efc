"""What became of a part that was sent, as the ledger of jobs tells it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.imports.sending import FATAL, job_failure
from tasks.jobs.ledger import get_ledger
from tasks.jobs.outcome import raised
from tasks.jobs.rows import numbers
from worker.errors import KlaviyoError
from worker.patience import patiently


@dataclass(frozen=True, slots=True)
class Fate:
    """The rows of a part that have not landed, None where none has; how many were turned down, or nobody can tell.

    ``fatal`` is what no other part would be spared.
    """

    lost: frozenset[int] | None
    rejected: int = 0
    unknown: int = 0
    reasons: tuple[str, ...] = ()
    fatal: KlaviyoError | None = None

    def __add__(self, other: Fate) -> Fate:
        lost = None if self.lost is None or other.lost is None else self.lost | other.lost
        reasons = self.reasons + other.reasons
        counts = self.rejected + other.rejected, self.unknown + other.unknown
        return Fate(lost, *counts, reasons, self.fatal or other.fatal)


def fate(part: str) -> Fate | None:
    """What became of it; None as long as that is not known.

    A part that the ledger does not know was never sent, or so long ago that nobody can tell: its rows are sent again.
    """
    job = patiently(lambda: get_ledger().job(part))
    if job is None:
        return Fate(None)
    if job.state != "settled":
        return None
    rejects = patiently(lambda: get_ledger().rejects_of(part))
    reasons = tuple(each["reason"] for each in rejects)
    lost = {each["row"] for each in rejects}
    if job.status == "split":
        # Klaviyo refused it and pointed at no record: its halves were sent by themselves.
        first, second = fate(f"{part}a"), fate(f"{part}b")
        own = Fate(frozenset(lost), job.rejected, job.unknown, reasons)
        return first + second + own if first and second else None
    if job.status == "withdrawn" or job.unknown:
        # Which of them have landed is not told, or none has.
        lost |= set(numbers(job.rows))
    error = raised(job_failure(job)) if job.failure else None
    fatal = error if isinstance(error, FATAL) else None
    return Fate(frozenset(lost), job.rejected, job.unknown, reasons, fatal)
