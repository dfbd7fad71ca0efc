"""What a message says about how its task waits: its lane, and when it expires. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lane = Literal["now", "bulk"]


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a task is no longer wanted: seconds from its publishing, or a moment (seconds since 1970)."""

    seconds: float
    absolute: bool = False

    @property
    def script_argument(self) -> str:
        """As the governor's script reads it."""
        return f"{'' if self.absolute else '+'}{max(0, int(self.seconds * 1000))}"
