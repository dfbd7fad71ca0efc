"""The size of tests that `make test` runs small and `make soak` at any size."""

from __future__ import annotations

import os

#: How large a soak is (`make soak SIZE=2`); 0 in `make test`, which runs the same tests small.
SOAK = float(os.environ.get("SOAK", "0"))


def sized(small: int, soak: int) -> int:
    """How much of something a test that is a soak, too, has to do: ``soak`` is that of a soak of size 1."""
    return max(small, round(soak * SOAK))
