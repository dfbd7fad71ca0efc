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
    job_seconds: tuple[float, float] = (1.0, 1.0)
    """From how many seconds to how many an asynchronous job takes, where no rule says."""
    clock: Callable[[], float] = time.time
