"""Whether a request may be sent again when its answer was lost: part of every declaration. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worker.api.parameters import Params


@dataclass(frozen=True, slots=True)
class Repeat:
    """Whether a request may be sent again when nobody knows whether it was carried out."""

    kind: Literal["safe", "key", "never"]
    note: str = ""
    unless: Callable[[Params], str | None] | None = None

    @property
    def blindly(self) -> bool:
        """Whether repeating does no harm."""
        return self.kind != "never"


SAFE = Repeat("safe")


def safe(*, unless: Callable[[Params], str | None]) -> Repeat:
    """Repeating does no harm, unless the parameters say so: then ``unless`` returns what to look at."""
    return Repeat("safe", unless=unless)


def with_key(key: str, *, unless: Callable[[Params], str | None] | None = None) -> Repeat:
    """Repeating does no harm because the request carries this key; ``unless`` as in `safe`."""
    return Repeat("key", key, unless)


def never(look_at: str) -> Repeat:
    """Repeating would do harm: the task ends as `OutcomeUnknown`, which says where to look."""
    return Repeat("never", look_at)
