"""Flower, as an operator starts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.live.fetch import get
from tests.live.forked import Forked
from tests.live.system import end, last, until
from tests.ports import free_port

#: What those may see who know no password.
OPEN = {"FLOWER_UNAUTHENTICATED_API": "true"}


@contextmanager
def running_flower(
    environment: Mapping[str, str], log: Path, *options: str, prefix: str = "", servers: int = 1
) -> Iterator[str]:
    """Flower with this environment, once it answers and hears events at so many Redis; the value is its address."""
    port = free_port()
    command = ["celery", "-A", "worker", "flower", f"--port={port}", "--address=127.0.0.1", *options]
    process = Forked(command, environment, log)
    url = f"http://127.0.0.1:{port}{prefix}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return get(f"{url}/healthcheck").is_success and log.read_text().count("Connected to") >= servers
        except httpx.TransportError:
            return False

    try:
        until(answers, 30, lambda: f"Flower\n{last(log.read_text())}")
        yield url
    finally:
        end(process)
