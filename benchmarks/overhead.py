"""What an action costs beside a plain Celery task that posts the same body: throughput, CPU, Redis, idle latency.

    python -m benchmarks.overhead [--tasks 3000] [--rounds 3]

Each contender works the same backlog off with one worker, in turn, round after round. CPU and Redis's commands, those
inside scripts included, are counted from the first call to the last result.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.processes import ROOT, cpu_seconds, listening, redis_server, workers

TEXT = "x" * 400

#: What an action cost Redis at commit 11a8bd0, before claims came with the pop and ends were told together: commands a
#: task, which are the same everywhere, and CPU as a multiple of the plain task's in the same run.
EARLIER_COMMANDS_PER_TASK, EARLIER_CPU_RATIO = 98.2, 3.1


@dataclass(frozen=True)
class Drained:
    """One backlog: requests a second, the worker's CPU seconds for 1,000; Redis's commands and CPU µs a task."""

    rate: float
    cpu: float
    commands: float = 0.0
    redis_cpu: float = 0.0


@dataclass(frozen=True)
class Contender:
    """What works a backlog off."""

    name: str
    app: str
    queue: str
    publish: Callable[[float], object]
    environment: Mapping[str, str] = field(default_factory=dict)


def arrivals(base: str) -> list[tuple[float, float]]:
    """What the server has seen: when, and when it was asked for."""
    return [(at, asked) for at, asked in httpx.get(f"{base}/arrivals", timeout=30).json()]


def measure_rate(base: str, before: int, count: int) -> float:
    """Requests a second over the middle 80 % of a backlog, once all of it has arrived."""
    until = time.monotonic() + 300
    while len(seen := arrivals(base)[before:]) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"only {len(seen)} of {count} requests arrived")
        time.sleep(0.5)
    times = sorted(at for at, _ in seen)
    first, last = times[count // 10], times[count * 9 // 10]
    return (count * 8 // 10) / (last - first)


def count_commands(client: redis.Redis) -> int:
    """Commands that a server has carried out."""
    stats: dict[str, dict[str, int]] = client.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name != "cmdstat_info")


def drain(contender: Contender, base: str, url: str, client: redis.Redis, tasks: int) -> Drained:
    """Publish a backlog, start one worker, and measure how it drains."""
    server = psutil.Process(int(client.info("server")["process_id"]))
    before, asked, busy = len(arrivals(base)), count_commands(client), cpu_seconds(server)
    for _ in range(tasks):
        contender.publish(0.0)
    options = ("-Q", contender.queue)
    with workers(1, contender.app, url, *options, KLAVIYO_BASE_URL=base, **contender.environment) as pids:
        worker = psutil.Process(pids[0])
        started = cpu_seconds(worker)
        found = measure_rate(base, before, tasks)
        time.sleep(0.3)  # the last results
        spent = cpu_seconds(worker) - started
        used = (count_commands(client) - asked) / tasks, (cpu_seconds(server) - busy) / tasks * 1e6
    return Drained(found, spent / tasks * 1000, *used)


def run_bare(base: str, tasks: int, *how: str) -> Drained:
    """The same requests without Celery and Redis."""
    before = len(arrivals(base))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare", str(tasks), *how],
        cwd=ROOT, env={**os.environ, "KLAVIYO_BASE_URL": base}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Drained(measure_rate(base, before, tasks), float(done.stdout) / tasks * 1000)


def time_idle_calls(contender: Contender, base: str, url: str) -> list[float]:
    """Milliseconds from a call to its request, where nothing else is to be done."""
    with workers(1, contender.app, url, "-Q", contender.queue, KLAVIYO_BASE_URL=base):
        before = len(arrivals(base))
        for _ in range(200):
            contender.publish(time.time())
            time.sleep(0.05)
        time.sleep(1)
        return [(at - asked) * 1000 for at, asked in arrivals(base)[before:]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with redis_server() as url, listening("benchmarks.free_server") as base:
        os.environ.update(KLAVIYO_REDIS_URL=url, KLAVIYO_BASE_URL=base, KLAVIYO_API_KEY="pk")
        from benchmarks import measured, plain

        def theirs(at: float) -> object:
            return plain.bench.delay(at=at, text=TEXT)

        ours = Contender(
            "action", "benchmarks.measured", "klaviyo.xl", lambda at: measured.bench.delay(at=at, text=TEXT)
        )
        stock = Contender("plain task", "benchmarks.plain", "plain", theirs)
        rivals = [
            Contender("plain task, a client a thread", stock.app, stock.queue, theirs, {"PLAIN_CLIENTS": "thread"}),
            Contender("plain task, prefork, 8 processes", stock.app, stock.queue, theirs,
                      {"PLAIN_POOL": "prefork", "KLAVIYO_CONCURRENCY": "8"}),
        ]  # fmt: skip
        if find_spec("gevent"):
            rivals.append(Contender("plain task, gevent", stock.app, stock.queue, theirs, {"PLAIN_POOL": "gevent"}))
        found: dict[str, list[Drained]] = {}
        client = redis.Redis.from_url(url)
        for _ in range(options.rounds):
            for each in (stock, ours, *rivals):
                found.setdefault(each.name, []).append(drain(each, base, url, client, options.tasks))
            found.setdefault("asyncio loop, no queue", []).append(run_bare(base, options.tasks))
            found.setdefault("the same, 32 clients: the limit", []).append(run_bare(base, options.tasks, "own"))
        client.close()
        waits = {each.name: time_idle_calls(each, base, url) for each in (ours, stock)}

    console = Console(width=128)
    console.print(throughput_table({name: _median(drained) for name, drained in found.items()}, stock.name))
    if not find_spec("gevent"):
        console.print("gevent is not installed: its pool is left out.")
    console.print(latency_table(waits))


def throughput_table(found: Mapping[str, Drained], yardstick: str) -> Table:
    """What each costs, and how often the plain task's that is."""
    table = Table(
        title="One worker, one backlog: an action beside a plain Celery task that posts the same body (medians)"
    )
    table.add_column("")
    columns = ("requests/s", "× plain", "CPU s / 1,000", "× plain", "Redis: commands", "CPU µs", "× plain")
    for column in columns:
        table.add_column(column, justify="right")
    plain = found[yardstick]
    for name, each in found.items():
        asked = (f"{each.commands:.1f}", f"{each.redis_cpu:.0f}", f"{each.redis_cpu / plain.redis_cpu:.2f}")
        table.add_row(
            name, f"{each.rate:.0f}", f"{each.rate / plain.rate:.2f}", f"{each.cpu:.2f}", f"{each.cpu / plain.cpu:.2f}",
            *(asked if each.commands else ("-", "-", "-")),
        )  # fmt: skip
    before = (f"{EARLIER_COMMANDS_PER_TASK}", f"{EARLIER_CPU_RATIO * plain.redis_cpu:.0f}", f"{EARLIER_CPU_RATIO:.2f}")
    table.add_row("action, at commit 11a8bd0", "-", "1.2", "-", "-", *before)
    return table


def latency_table(waits: Mapping[str, list[float]]) -> Table:
    """How long a call to an idle worker takes to become a request."""
    table = Table(title="Idle: from the call to the request")
    for column in ("", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in waits.items():
        cuts = statistics.quantiles(values, n=100)
        table.add_row(name, f"{cuts[49]:.1f}", f"{cuts[98]:.1f}")
    return table


def _median(drained: list[Drained]) -> Drained:
    names = ("rate", "cpu", "commands", "redis_cpu")
    return Drained(*(statistics.median(getattr(each, name) for each in drained) for name in names))


if __name__ == "__main__":
    main()
