"""An application of `benchmarks.traveling`: an event for each line that it reads, with the moment of the call in it."""

from __future__ import annotations

import sys
import time

from tasks.events import create_event


def main() -> None:
    """Call until nothing more is to be read."""
    for _ in sys.stdin:
        create_event.delay(
            metric="Placed Order", profile={"email": "ada@example.com"}, value=9.99, properties={"at": time.time()}
        )


if __name__ == "__main__":
    main()
