"""What a push says of itself while it runs, and at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from worker.errors import KlaviyoError

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class PushReport:
    """How a run of a push stands, or has ended.

    Of the ``rows``, ``checked`` were turned down before anything was sent, ``unchanged`` needed nothing; ``created``,
    ``updated`` and ``deleted`` records have landed, Klaviyo turned down the ``rejected`` ones, and of the ``unknown``
    nobody can tell. These are tried again by the next run; ``reasons`` says why, with the number of rows.
    ``requests`` are those since the run was last taken up; ``note`` is what else there is to say.
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
        """How many records are at Klaviyo as they are to be, or gone from there, by this run's doing."""
        return self.created + self.updated + self.deleted

    def told(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "landed": self.landed}


class NotDeleted(KlaviyoError):
    """So many records are missing from the source that it is taken for broken: all but the deletions was carried out.

    missing, known: records that the source no longer has, and those that were pushed. created, updated, failed: what
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
            f"than a tenth: nothing was deleted. All else is done: {created:,} created, {updated:,} updated, "
            f"{failed:,} not landed. If the deletions are meant, run it once with force."
        )
