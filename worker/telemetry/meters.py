"""Who counts each request: `worker.telemetry.metrics`, if the worker serves metrics; otherwise nobody.

Then a request costs no more than a look at an empty list.
"""

from __future__ import annotations

from typing import Protocol

#: In place of Klaviyo's status: nothing has reached Klaviyo, or something may have but no answer came.
NO_CONNECTION, NO_ANSWER = "no_connection", "no_answer"


class Meter(Protocol):
    """Counts requests and calls as they end."""

    def request(self, action: str, status: str, seconds: float) -> None:
        """Count a request: Klaviyo's status, or one of ours, and how long it took."""

    def throttled(self, action: str, line: str) -> None:
        """Count a 429 of a call of this line. Its lease is still out."""

    def attempts(self, action: str, count: int) -> None:
        """Count the attempts of a call that has ended."""


#: The meters of this process.
meters: list[Meter] = []
