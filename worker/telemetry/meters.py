"""What counts the requests of a worker, if anything does: `worker.telemetry.metrics`, once it serves them.

Without it, a request costs a look at an empty list more.
"""

from __future__ import annotations

from typing import Protocol

#: In place of Klaviyo's status: nothing has reached Klaviyo, or it may have, and no answer came.
NO_CONNECTION, NO_ANSWER = "no_connection", "no_answer"


class Meter(Protocol):
    """What is told of requests and tasks as they end."""

    def request(self, action: str, status: str, seconds: float) -> None:
        """Count a request: Klaviyo's status, or one of ours, and how long it took."""

    def throttled(self, action: str, line: str) -> None:
        """Count a 429 of a call that draws on the buckets of a line. Its lease is still out."""

    def attempts(self, action: str, count: int) -> None:
        """Count the attempts of a call that has ended."""


#: Those that are told.
meters: list[Meter] = []
