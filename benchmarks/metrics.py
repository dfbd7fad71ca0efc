"""What metrics cost: a worker that counts and is scraped beside one that does not, and a reading of a large deployment.

    python -m benchmarks.metrics [--tasks 2000] [--rounds 16] [--accounts 1000] [--buckets 20]

Both workers drain the same backlog, in turn, round after round. The one that counts is scraped every second, fifteen
times as often as Prometheus usually does. Then Flower's endpoint is read with so many buckets, all with a backlog.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.overhead import TEXT, Contender, Drained, drain
from benchmarks.processes import cpu_seconds, listening, redis_server
from worker.tiers import Bucket, Limits, Line


@contextmanager
def scraped(port: int, interval_s: float = 1.0) -> Iterator[list[int]]:
    """Scrape a worker's endpoint again and again; the value is the size of each answer."""
    sizes: list[int] = []
    over = threading.Event()

    def scrape() -> None:
        with httpx.Client() as client:
            while not over.wait(interval_s):
                try:
                    sizes.append(len(client.get(f"http://127.0.0.1:{port}/metrics").content))
                except httpx.TransportError:  # it has not started yet, or has ended
                    continue

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    yield sizes
    over.set()
    thread.join()


def throughput(tasks: int, rounds: int, url: str, base: str) -> Table:
    """Drain backlogs with and without metrics, in turn."""
    from benchmarks import measured

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])

    def publish(at: float) -> object:
        return measured.bench.delay(at=at, text=TEXT)

    without = Contender("without", "benchmarks.measured", "klaviyo.xl", publish)
    with_metrics = Contender(
        "counted and scraped", without.app, without.queue, publish, {"KLAVIYO_METRICS_PORT": f"{port}"}
    )
    found: dict[str, list[Drained]] = {without.name: [], with_metrics.name: []}
    client = redis.Redis.from_url(url)
    with scraped(port) as sizes:
        for turn in range(rounds):
            # Who goes first takes turns, too: a machine grows warm, or busy.
            for each in (without, with_metrics) if turn % 2 else (with_metrics, without):
                found[each.name].append(drain(each, base, url, client, tasks))
    client.close()
    if not sizes:
        raise RuntimeError("the worker was never scraped")

    table = Table(title=f"A backlog of {tasks:,}, {rounds} rounds, medians; {len(sizes)} scrapes")
    for column in ("worker", "requests/s", "÷ without", "CPU s / 1,000", "÷ without"):
        table.add_column(column, justify="left" if column == "worker" else "right")
    rates = {name: statistics.median(each.rate for each in drained) for name, drained in found.items()}
    costs = {name: statistics.median(each.cpu for each in drained) for name, drained in found.items()}
    # Of each round its own ratio: what slows the machine down for a minute slows both.
    pairs = list(zip(found[with_metrics.name], found[without.name], strict=True))
    ratios = {with_metrics.name: (
        statistics.median(one.rate / other.rate for one, other in pairs),
        statistics.median(one.cpu / other.cpu for one, other in pairs),
    )}  # fmt: skip
    spent = counting()
    table.caption = f"Counting takes {spent:.1f} µs of a task's {costs[without.name] * 1000:,.0f} µs of CPU time."
    for name in found:
        rate, cost = ratios.get(name, (1.0, 1.0))
        table.add_row(name, f"{rates[name]:.0f}", f"{rate:.3f}", f"{costs[name]:.3f}", f"{cost:.3f}")
    return table


def counting(calls: int = 200_000) -> float:
    """Return the microseconds that a task spends on being counted."""
    from prometheus_client import CollectorRegistry

    from worker.telemetry.metrics import WorkerMeter

    meter = WorkerMeter(CollectorRegistry())
    began = time.process_time()
    for _ in range(calls):
        meter.request("bench", "202", 0.1)
        meter.attempts("bench", 1)
    return (time.process_time() - began) / calls * 1e6


def reading(accounts: int, buckets: int, url: str) -> Table:
    """Read a deployment in which every bucket has a backlog."""
    from cli.metrics.endpoint import PAUSE_FACTOR, collect
    from worker.governor import get_governor

    governor = get_governor()
    for account in range(accounts):
        for bucket in range(buckets):
            line = Line(f"shop-{account}", (Bucket(f"action_{bucket}", Limits.parse("75/s 750/m")),))
            governor.wait((line.name, line.spec), "bulk", f"{account}-{bucket}", f'{{"since":{time.time()}}}')
    client = redis.Redis.from_url(url)
    server = psutil.Process(int(client.info("server")["process_id"]))
    client.close()
    took, busy, text = [], [], b""
    for _ in range(3):
        before, began = cpu_seconds(server), time.monotonic()
        text, _ = collect()
        took.append(time.monotonic() - began)
        busy.append(cpu_seconds(server) - before)
    seconds, redis_s = statistics.median(took), statistics.median(busy)
    series = sum(not each.startswith(b"#") for each in text.splitlines())
    table = Table(title=f"Flower's endpoint: {accounts:,} accounts × {buckets} buckets, all with a backlog")
    for column in ("seconds", "Redis CPU s", "of a core, at most", "series", "KB"):
        table.add_column(column, justify="right")
    share = redis_s / (seconds * (PAUSE_FACTOR + 1))
    table.add_row(f"{seconds:.2f}", f"{redis_s:.2f}", f"{share:.1%}", f"{series:,}", f"{len(text) / 1024:,.0f}")
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--buckets", type=int, default=20)
    options = parser.parse_args()
    console = Console(width=128)
    with redis_server() as url, listening("benchmarks.free_server") as base:
        os.environ.update(KLAVIYO_REDIS_URL=url, KLAVIYO_BASE_URL=base, KLAVIYO_API_KEY="pk")
        console.print(throughput(options.tasks, options.rounds, url, base))
        console.print(reading(options.accounts, options.buckets, url))


if __name__ == "__main__":
    main()
