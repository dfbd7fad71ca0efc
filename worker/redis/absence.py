"""Which Redis is away, where there are several: whoever reads all of them goes on without it, and says so.

Within `without_those_away`, `worker.redis.homes.ask_each` leaves out what cannot be asked. Elsewhere one that is away
is an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from worker.one_per_process import one_per_process

#: A Redis that has kept this process waiting in vain is left out for so many times as long. One that refuses at once
#: may be asked again at once.
REST_FACTOR = 3


@dataclass
class Missing:
    """What a block goes on without: the error of each Redis, by its name, and the seconds it was waited for."""

    errors: dict[str, Exception] = field(default_factory=dict)
    waited_s: float = 0.0

    def leaves_out(self, name: str) -> bool:
        """Return True if a Redis was found away, in this block or just before it."""
        if name not in self.errors and (error := lately_away(name)):
            self.errors[name] = error
        return name in self.errors

    def add(self, name: str, error: Exception, seconds: float) -> None:
        """Go on without a Redis that was waited for in vain."""
        self.errors[name] = error
        self.waited_s += seconds
        remember(name, error, seconds)


_missing: ContextVar[Missing | None] = ContextVar("missing", default=None)


@contextmanager
def without_those_away() -> Iterator[Missing]:
    """Go on without a Redis that is away, where several are read. It is waited for once in this block."""
    missing = Missing()
    token = _missing.set(missing)
    try:
        yield missing
    finally:
        _missing.reset(token)


def missing_here() -> Missing | None:
    """Return what the block around this goes on without; None where one that is away is an error."""
    return _missing.get()


@one_per_process
def _known() -> dict[str, tuple[Exception, float]]:
    """The error of each that was found away, and until when it is left out."""
    return {}


def remember(name: str, error: Exception, seconds: float) -> None:
    """Leave out a Redis for a while that was waited for in vain."""
    _known()[name] = error, time.monotonic() + REST_FACTOR * seconds


def lately_away(name: str) -> Exception | None:
    """Return the error of a Redis that is left out for now."""
    error, until = _known().get(name, (None, 0.0))
    return error if time.monotonic() < until else None
