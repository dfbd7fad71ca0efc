"""What an action costs beside a plain Celery task that posts the same body: throughput, admission, idle latency.

python -m benchmarks.overhead [--tasks 3000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import httpx
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.processes import listening, redis_server, workers

TEXT = "x" * 400


def arrivals(base: str) -> list[tuple[float, float]]:
    """What the server has seen: when, and when it was asked for."""
    return [(at, asked) for at, asked in httpx.get(f"{base}/arrivals", timeout=30).json()]


def drained(base: str, before: int, count: int) -> float:
    """Requests a second over the middle 80 % of a backlog, once all of it has arrived."""
    until = time.monotonic() + 300
    while len(seen := arrivals(base)[before:]) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"only {len(seen)} of {count} requests arrived")
        time.sleep(0.5)
    times = sorted(at for at, _ in seen)
    first, last = times[count // 10], times[count * 9 // 10]
    return (count * 8 // 10) / (last - first)


def throughput(base: str, url: str, app: str, publish: Callable[[float], object], tasks: int, queues: str) -> float:
    """Publish a backlog, start one worker, and time how it drains."""
    before = len(arrivals(base))
    for _ in range(tasks):
        publish(0.0)
    with workers(1, app, url, "-Q", queues, KLAVIYO_BASE_URL=base):
        return drained(base, before, tasks)


def _admissions(client: redis.Redis) -> list[float]:
    """What the worker told of its admissions when it ended."""
    told = [float(each) for each in client.lrange("bench:admissions", 0, -1)]
    client.delete("bench:admissions")
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with redis_server() as url, listening("benchmarks.free_server") as base:
        os.environ.update(KLAVIYO_REDIS_URL=url, KLAVIYO_BASE_URL=base, KLAVIYO_API_KEY="pk")
        from benchmarks import measured, plain

        def ours(at: float) -> object:
            return measured.bench.delay(at=at, text=TEXT)

        def theirs(at: float) -> object:
            return plain.bench.delay(at=at, text=TEXT)

        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(options.rounds):
            rates["plain"].append(throughput(base, url, "benchmarks.plain", theirs, options.tasks, "plain"))
            rates["ours"].append(throughput(base, url, "benchmarks.measured", ours, options.tasks, "klaviyo.xl"))
        client = redis.Redis.from_url(url)
        loaded = _admissions(client)
        idle = {}
        for name, app, publish, queue in (
            ("ours", "benchmarks.measured", ours, "klaviyo.xl"),
            ("plain", "benchmarks.plain", theirs, "plain"),
        ):
            with workers(1, app, url, "-Q", queue, KLAVIYO_BASE_URL=base):
                before = len(arrivals(base))
                for _ in range(200):
                    publish(time.time())
                    time.sleep(0.05)
                time.sleep(1)
                idle[name] = [(at - asked) * 1000 for at, asked in arrivals(base)[before:]]
        quiet = _admissions(client)
        client.close()

    table = Table(title="An action beside a plain Celery task that posts the same body")
    for column in ("", "action", "plain task", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    ours_rate, plain_rate = statistics.median(rates["ours"]), statistics.median(rates["plain"])
    table.add_row(
        "requests/s, one worker (median)", f"{ours_rate:.0f}", f"{plain_rate:.0f}", f"{ours_rate / plain_rate:.2f}"
    )
    for share, name in ((50, "p50"), (99, "p99")):
        values = [statistics.quantiles(idle[side], n=100)[share - 1] for side in ("ours", "plain")]
        table.add_row(
            f"idle: call to request, {name} ms", *(f"{v:.1f}" for v in values), f"{values[0] / values[1]:.2f}"
        )
    table.add_row("idle: admission in the worker, p50 ms", f"{statistics.median(quiet):.2f}", "-", "-")
    table.add_row("all threads busy: admission, p50 ms", f"{statistics.median(loaded):.2f}", "-", "-")
    Console().print(table)


if __name__ == "__main__":
    main()
