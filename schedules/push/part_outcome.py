"""The outcome of a part that was sent, from the ledger of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.imports.sending import FATAL, job_failure
from tasks.jobs.ledger import get_ledger
from tasks.jobs.outcome import outcome_error
from tasks.jobs.rows import parse_rows
from worker.errors import KlaviyoError


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part.

    ``lost``: the rows that have not landed; None if no row has landed. ``rejected`` and ``unknown``: how many rows
    Klaviyo rejected, and of how many the outcome is unknown. ``fatal``: an error that every other part would meet.
    """

    lost: frozenset[int] | None
    rejected: int = 0
    unknown: int = 0
    reasons: tuple[str, ...] = ()
    fatal: KlaviyoError | None = None

    def __add__(self, other: PartOutcome) -> PartOutcome:
        lost = None if self.lost is None or other.lost is None else self.lost | other.lost
        reasons = self.reasons + other.reasons
        counts = self.rejected + other.rejected, self.unknown + other.unknown
        return PartOutcome(lost, *counts, reasons, self.fatal or other.fatal)


def part_outcome(part: str) -> PartOutcome | None:
    """Return the outcome of a part; None as long as it is in flight.

    A part unknown to the ledger was never sent, or so long ago that its outcome is lost: its rows are sent again.
    """
    job = get_ledger().job(part)
    if job is None:
        return PartOutcome(None)
    if job.state != "settled":
        return None
    rejects = get_ledger().rejects_of(part)
    reasons = tuple(each["reason"] for each in rejects)
    lost = {each["row"] for each in rejects}
    if job.status == "split":
        # Klaviyo refused it without naming a record: its halves were sent separately.
        first, second = part_outcome(f"{part}a"), part_outcome(f"{part}b")
        own = PartOutcome(frozenset(lost), job.rejected, job.unknown, reasons)
        return first + second + own if first and second else None
    if job.status == "withdrawn" or job.unknown:
        # None has landed, or nobody knows which ones have.
        lost |= set(parse_rows(job.rows))
    error = outcome_error(job_failure(job)) if job.failure else None
    fatal = error if isinstance(error, FATAL) else None
    return PartOutcome(frozenset(lost), job.rejected, job.unknown, reasons, fatal)
