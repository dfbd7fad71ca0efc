"""How a sandbox is set up."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a sandbox."""

    seed: int = 0
    latency: tuple[float, float] = (0.0, 0.0)
    """Seconds on the wire each way, from and to."""
    job_seconds: float = 1.0
    """How long an asynchronous job takes."""
    clock: Callable[[], float] = time.time
