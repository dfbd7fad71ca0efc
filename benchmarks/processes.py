"""The processes of a benchmark: an embedded server, workers, a sandbox; all end with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import redis

from cli.up.embedded import server

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """An embedded server with an empty store; the value is its address."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as url:
        yield url


@contextlib.contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process from the repository's root."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(timeout=30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextlib.contextmanager
def listening(*command: str, **environment: str) -> Iterator[str]:
    """A server process that prints its address when it listens; the value is the address."""
    with process(*command, **environment) as started:
        assert started.stdout is not None
        for printed in started.stdout:
            if "http://" in printed:
                yield "http://" + printed.split("http://")[1].split()[0]
                return
    raise RuntimeError(f"{' '.join(command)} ended before it listened")


@contextlib.contextmanager
def workers(count: int, app: str, url: str, *options: str, **environment: str) -> Iterator[list[int]]:
    """Celery workers of an application, ready to work; the value is their process ids."""
    client = redis.Redis.from_url(url)
    before = _ready(client)
    with contextlib.ExitStack() as stack:
        command = ["celery", "-A", app, "worker", "-l", "CRITICAL", "--without-mingle", "--without-gossip", *options]
        started = [
            stack.enter_context(process(*command, "-n", f"{n}@bench", KLAVIYO_REDIS_URL=url, **environment))
            for n in range(count)
        ]
        while _ready(client) < before + count:
            time.sleep(0.02)
        yield [each.pid for each in started]
    client.close()


def cpu_seconds(*processes: psutil.Process) -> float:
    """Return the CPU seconds that processes and their children have used, as users and in the kernel."""
    every = [each for process in processes for each in (process, *process.children(recursive=True))]
    return sum(sum(each.cpu_times()[:2]) for each in every)


def _ready(client: redis.Redis) -> int:
    return int(client.get("bench:ready") or 0)
