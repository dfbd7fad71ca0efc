"""The settings of a sandbox."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a sandbox."""

    seed: int = 0
    latency: tuple[float, float] = (0.0, 0.0)
    """The range of seconds that each way on the wire takes."""
    job_seconds: tuple[float, float] = (1.0, 1.0)
    """The range of seconds that an asynchronous job takes, unless a rule says otherwise."""
    clock: Callable[[], float] = time.time
