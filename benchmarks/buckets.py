"""What the governor costs Redis with 1,000 backlogged buckets.

    python -m benchmarks.buckets [--buckets 1000] [--seconds 20]

Four workers' governors turn, every bucket of tier XS has tasks waiting, and what is released is taken, with its leases,
and ended as workers do. Printed: the share of one core that the server used, all in all, and while every bucket was
full, beside what the same benchmark of an earlier commit prints, where each task was claimed and settled by itself.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time

import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.earlier import BASELINE, printed_by
from benchmarks.processes import redis_server
from worker.governor import Delivery, End, Governor, Settlement
from worker.process.bootstep import TICK_INTERVAL_S
from worker.tiers import Bucket, Limits, Line

WORKERS = 4
LIMITS = Limits.parse("1/s 15/m")

#: Messages that a worker takes at once, and deliveries as a worker records them.
TASKS_PER_POP, RECORD = 8, ("bench:unacked", "bench:unacked_index")

_pops = itertools.count()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buckets", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with redis_server() as url:
        client = redis.Redis.from_url(url)
        server = psutil.Process(int(client.info("server")["process_id"]))
        governor = Governor(client)
        governor.beat("bench", 1_000, ["klaviyo.xs"], 3_600.0)
        for bucket in range(options.buckets):
            line = Line(f"account-{bucket}", (Bucket("operation", LIMITS),))
            for task in range(60):
                governor.wait((line.name, line.spec), "bulk", f"{bucket}-{task}", message(f"{bucket}-{task}"))
        flowing, requests = measure(client, server, governor, options.seconds)
        while release_and_settle(client, governor):
            pass
        full, _ = measure(client, server, governor, options.seconds // 2)
        client.close()
    words = ("--buckets", str(options.buckets), "--seconds", str(options.seconds))
    before = [
        float(found) / 100 for found in re.findall(r"([\d.]+)%", printed_by(BASELINE, "benchmarks.buckets", words))
    ]
    table = Table(title=f"{options.buckets:,} backlogged buckets, {WORKERS} workers")
    for column in ("", "share of one core", f"at commit {BASELINE}", "÷", "requests/s", "µs a request"):
        table.add_column(column, justify="right" if column else "left")
    sent = requests / options.seconds
    rows = (
        ("every bucket sends once a second", flowing, f"{sent:.0f}", f"{flowing / sent * 1e6:.0f}"),
        ("every bucket full", full, "", ""),
    )
    for (name, share, *rest), earlier in zip(rows, before, strict=True):
        table.add_row(name, f"{share:.1%}", f"{earlier:.1%}", f"{share / earlier:.2f}", *rest)
    Console(width=100).print(table)


def message(task: str) -> str:
    """What a publisher would send, as far as the governor looks into it."""
    return json.dumps({"body": "x" * 700, "headers": {"id": task, "klaviyo": {"blindly": True}}})


def measure(client: redis.Redis, server: psutil.Process, governor: Governor, seconds: int) -> tuple[float, int]:
    """The server's share of a core over so many seconds, and the requests that were released meanwhile."""
    before, began, requests = sum(server.cpu_times()[:2]), time.monotonic(), 0
    while time.monotonic() < began + seconds:
        turn = time.monotonic()
        for _ in range(WORKERS):
            governor.tick()
        requests += settle_released(client, governor)
        time.sleep(max(0.0, TICK_INTERVAL_S - (time.monotonic() - turn)))
    return (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began), requests


def release_and_settle(client: redis.Redis, governor: Governor) -> int:
    """Release and settle for one turn; how many requests that were."""
    time.sleep(TICK_INTERVAL_S)
    governor.tick()
    return settle_released(client, governor)


def settle_released(client: redis.Redis, governor: Governor) -> int:
    """Take and end what was released, as workers do: some at a time."""
    count = 0
    while True:
        tag = f"pop-{next(_pops)}"
        taken = governor.take(Delivery(*RECORD, tag), 60_000, TASKS_PER_POP, ["klaviyo.xs"])
        if not taken:
            return count
        count += len(taken)
        governor.finish([
            End(task, Delivery(*RECORD, f"{tag}:{number}"), Settlement(used=True))
            for number, (_, _, task) in enumerate(taken, start=1)
        ])  # fmt: skip


if __name__ == "__main__":
    main()
