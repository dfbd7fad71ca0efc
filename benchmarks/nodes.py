"""What Sentinels, a cluster and confirmed writes cost beside a single server: requests a second, and `.delay()`.

    python -m benchmarks.nodes [--tasks 1500] [--rounds 7]

All servers are on loopback, each on a port. One worker works the same backlog off on each, in turn, round after round,
and each round begins with another. No window limits the calls: what binds is the processor. A ratio is the median of
those of the rounds, each to the single server of the same round; a second single server beside the first tells how
much of a ratio is noise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.overhead import TEXT, arrivals, measure_rate
from benchmarks.processes import ROOT, cpu_seconds, listening, process
from cli.up.embedded import find_server
from tests.live.nodes import DATA, Cluster, Node, Sentinels
from tests.ports import free_ports
from tests.run_folder import make_run_folder
from worker.redis.address import parse
from worker.redis.connection import client_of

#: A process that publishes so many calls, and tells how many ms half of them took at most.
PUBLISH = """
import statistics, sys, time
from benchmarks.measured import bench
from worker.redis.connection import get_redis
times = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    bench.delay(at=0.0, text=sys.argv[2])
    times.append(time.perf_counter() - began)
print(statistics.median(times) * 1000)
"""


#: The single server that the others are compared with.
SINGLE = "a single server"

#: With it `.delay()` waits for a replica.
CONFIRMED = "Sentinels, KLAVIYO_REDIS_REPLICAS=1"

#: What is asked of all of them beside a single server, and of `.delay()` that waits.
MIN_RATIO, MAX_DELAY_MS = 0.95, 2.0


@dataclass(frozen=True)
class Drained:
    """One backlog: requests a second, p50 of `.delay()`, CPU of the worker and of Redis a task."""

    rate: float
    delay_ms: float
    worker_us: float
    redis_us: float


def redis_cpu_seconds(client: redis.Redis) -> float:
    """CPU seconds that a server has used."""
    used: Any = client.info("cpu")
    return float(used["used_cpu_sys"] + used["used_cpu_user"])


def drain(url: str, replicas: int, base: str, tasks: int) -> Drained:
    """Publish a backlog, and let one worker work it off."""
    client = client_of(parse(url))
    began = redis_cpu_seconds(client)
    environment = {"KLAVIYO_REDIS_URL": url, "KLAVIYO_REDIS_REPLICAS": str(replicas), "KLAVIYO_BASE_URL": base}
    before = len(arrivals(base))
    published = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(tasks), TEXT],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ready = int(client.get("bench:ready") or 0)
    command = ["celery", "-A", "benchmarks.measured", "worker", "-l", "CRITICAL", "--without-gossip"]
    with process(*command, "-Q", "klaviyo.xl", "-n", "one@bench", **environment) as started:
        while int(client.get("bench:ready") or 0) == ready:
            time.sleep(0.02)
        worker = psutil.Process(started.pid)
        idle = cpu_seconds(worker)
        found = measure_rate(base, before, tasks)
        time.sleep(0.5)  # the last results
        spent = cpu_seconds(worker) - idle
    used = redis_cpu_seconds(client) - began
    client.close()
    return Drained(found, float(published.stdout), spent / tasks * 1e6, used / tasks * 1e6)


def ratios_to_single(found: dict[str, list[Drained]], of: Callable[[Drained], float], name: str) -> list[float]:
    """How often the single server's of the same round something is, round by round, the least first."""
    return sorted(of(run) / of(single) for run, single in zip(found[name], found[SINGLE], strict=True))


def result_table(found: dict[str, list[Drained]], tasks: int) -> Table:
    """The table, and whether it is as it has to be."""
    rounds = len(found[SINGLE])
    table = Table(title=f"One worker, {tasks:,} calls without limits, medians of {rounds} rounds; CPU in µs a call")
    table.add_column(no_wrap=True)
    for column in ("requests/s", "× single", "least", "most", ".delay() p50 ms", "worker", "× single", "Redis"):
        table.add_column(column, justify="right")
    for name, runs in found.items():
        rates = ratios_to_single(found, lambda run: run.rate, name)
        works = ratios_to_single(found, lambda run: run.worker_us, name)
        table.add_row(
            name,
            f"{statistics.median(run.rate for run in runs):.0f}",
            *(f"{ratio:.2f}" for ratio in (statistics.median(rates), rates[0], rates[-1])),
            f"{statistics.median(run.delay_ms for run in runs):.2f}",
            f"{statistics.median(run.worker_us for run in runs):.0f}",
            f"{statistics.median(works):.2f}",
            f"{statistics.median(run.redis_us for run in runs):.0f}",
        )
    ratios = {name: statistics.median(ratios_to_single(found, lambda run: run.rate, name)) for name in found}
    delay = statistics.median(run.delay_ms for run in found[CONFIRMED])
    slow = [name for name, ratio in ratios.items() if ratio < MIN_RATIO]
    table.caption = (
        f"{', '.join(slow) or 'None'} below {MIN_RATIO} × single; "
        f".delay() with a replica {'above' if delay > MAX_DELAY_MS else 'within'} {MAX_DELAY_MS:g} ms"
    )
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.environ["KLAVIYO_API_KEY"] = "pk"
    binary, _ = find_server()
    with ExitStack() as stack:
        folder = make_run_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        base = stack.enter_context(listening("benchmarks.free_server"))
        contenders: dict[str, tuple[str, int]] = {}
        for name, port in zip((SINGLE, "another single server"), free_ports(2), strict=True):
            single = Node(binary, folder / str(port), port, *DATA)
            stack.callback(single.close)
            contenders[name] = f"redis://127.0.0.1:{port}/0", 0
        (folder / "sentinels").mkdir()
        sentinels = Sentinels(binary, folder / "sentinels")
        stack.callback(sentinels.close)
        cluster = Cluster(binary, folder / "cluster")
        stack.callback(cluster.close)
        contenders |= {
            "Sentinels": (sentinels.url, 0),
            CONFIRMED: (sentinels.url, 1),
            "a cluster of three": (cluster.url, 0),
        }
        found: dict[str, list[Drained]] = {name: [] for name in contenders}
        for number in range(options.rounds):
            names = list(contenders)
            first = number % len(names)
            for name in (*names[first:], *names[:first]):
                found[name].append(drain(*contenders[name], base, options.tasks))
    Console(width=120).print(result_table(found, options.tasks))


if __name__ == "__main__":
    main()
