"""What a push says of itself while it runs, and at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

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
