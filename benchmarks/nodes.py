"""What Sentinels, a cluster and confirmed writes cost beside a single server: requests a second, and `.delay()`.

    python -m benchmarks.nodes [--tasks 1500] [--rounds 3]

All servers are on loopback, each on a port. One worker works the same backlog off on each, in turn, round after round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from benchmarks.overhead import TEXT, arrivals, rate
from benchmarks.processes import ROOT, listening, process
from cli.embedded import find_server
from tests.live.nodes import DATA, Cluster, Node, Sentinels, free_ports
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


def busy(client: redis.Redis) -> float:
    """CPU seconds that a server has used."""
    told: Any = client.info("cpu")
    return float(told["used_cpu_sys"] + told["used_cpu_user"])


def drain(url: str, replicas: int, base: str, tasks: int) -> tuple[float, float, float]:
    """Requests a second of one worker, the p50 of `.delay()` in ms, and the server's CPU in µs a task."""
    client = client_of(parse(url))
    began = busy(client)
    environment = {"KLAVIYO_REDIS_URL": url, "KLAVIYO_REDIS_REPLICAS": str(replicas), "KLAVIYO_BASE_URL": base}
    before = len(arrivals(base))
    published = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(tasks), TEXT],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    command = ["celery", "-A", "benchmarks.measured", "worker", "-l", "CRITICAL", "--without-gossip"]
    with process(*command, "-Q", "klaviyo.xl", "-n", "one@bench", **environment):
        found = rate(base, before, tasks)
        time.sleep(0.5)  # the last results
    used = (busy(client) - began) / tasks * 1e6
    client.close()
    return found, float(published.stdout), used


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["KLAVIYO_API_KEY"] = "pk"
    binary, _ = find_server()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = stack.enter_context(listening("benchmarks.free_server"))
        [port] = free_ports(1)
        single = Node(binary, folder / "single", port, *DATA)
        stack.callback(single.close)
        (folder / "sentinels").mkdir()
        sentinels = Sentinels(binary, folder / "sentinels")
        stack.callback(sentinels.close)
        cluster = Cluster(binary, folder / "cluster")
        stack.callback(cluster.close)
        contenders = {
            "a single server": (f"redis://127.0.0.1:{port}/0", 0),
            "Sentinels": (sentinels.url, 0),
            "Sentinels, KLAVIYO_REDIS_REPLICAS=1": (sentinels.url, 1),
            "a cluster of three": (cluster.url, 0),
        }
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, (url, replicas) in contenders.items():
                found[name].append(drain(url, replicas, base, options.tasks))
    table = Table(title=f"One worker, {options.tasks:,} calls, medians of {options.rounds} rounds")
    for column in ("", "requests/s", "× single", ".delay() p50 ms", "Redis CPU µs a task"):
        table.add_column(column, justify="right" if column else "left")
    rates = {name: statistics.median(run[0] for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        p50, used = (statistics.median(run[n] for run in runs) for n in (1, 2))
        ratio = rates[name] / rates["a single server"]
        table.add_row(name, f"{rates[name]:.0f}", f"{ratio:.2f}", f"{p50:.2f}", f"{used:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
