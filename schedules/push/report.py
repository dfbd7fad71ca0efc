"""What a push reports while it runs and at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from worker.errors import KlaviyoError

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class PushReport:
    """The progress or the end of a run of a push.

    Of the ``rows``, ``checked`` were rejected before sending and ``unchanged`` were not sent; ``created``, ``updated``
    and ``deleted`` records have landed, Klaviyo refused the ``rejected`` ones, and the outcome of the ``unknown`` ones
    is not known. All that did not land is tried again by the next run; ``reasons`` says why, with the number of rows.
    ``requests`` counts those since the run was last continued; ``note`` is anything else worth saying.
    """

    run: int
    stream: str
    account: str
    state: State
    rows: int
    unchanged: int
    checked: int
    created: int
    updated: int
    deleted: int
    rejected: int
    unknown: int
    requests: int
    seconds: float
    reasons: tuple[tuple[str, int], ...]
    note: str | None = None

    @property
    def landed(self) -> int:
        """Return how many records this run has created, updated or deleted at Klaviyo."""
        return self.created + self.updated + self.deleted

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-compatible values."""
        return {**asdict(self), "landed": self.landed}


class NotDeleted(KlaviyoError):
    """So many records are missing from the source that it is taken for broken; everything but deleting was done.

    missing, known: how many records the source no longer has, and how many were pushed. created, updated, failed: what
    became of the others.
    """

    def __init__(
        self, account: str, stream: str, missing: int, known: int, created: int, updated: int, failed: int
    ) -> None:
        super().__init__(account, stream, missing, known, created, updated, failed)
        self.missing = missing
        self.known = known

    def __str__(self) -> str:
        account, stream, missing, known, created, updated, failed = self.args
        return (
            f"push {stream} of account {account}: {missing:,} of {known:,} records are no longer in the source, more "
            f"than a tenth, so nothing was deleted. The rest is done: {created:,} created, {updated:,} updated, "
            f"{failed:,} not landed. If they are to be deleted, run it once with force."
        )
