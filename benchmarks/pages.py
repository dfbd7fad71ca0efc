"""How quick Flower's page Limits is with many accounts, while a worker drains, and what it costs Redis.

    python -m benchmarks.pages [--accounts 1000] [--buckets 20] [--seconds 30]

Every bucket of every account has tasks that wait, for workers of tiers that none serves here; one worker drains another
account at Klaviyo's full budget. Visitors look, search, sort and turn pages meanwhile. Printed: how long the page took,
and the share of a core that Redis used on top of what it uses without visitors.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.processes import listening, process, redis_server
from cli.up.processes import free_port
from worker.governor import Governor
from worker.tiers import Bucket, Limits, Line

#: Seconds between two requests of visitors; each page asks for itself once in two seconds, so these are eight of them.
PACE_S = 0.25

#: What they ask for, in turn.
ASKED = (
    "",
    "?search=shop-77",
    "?sort=-bulk",
    "?sort=empty-at",
    "?sort=-used&page=3",
    "?page=100",
    "?search=operation-7",
)

LIMITS = ("1/s 15/m", "3/s 60/m", "10/s 150/m", "75/s 700/m")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--buckets", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with redis_server() as url, listening("sandbox", "--port", "0", "--latency", "5-15") as base:
        client = redis.Redis.from_url(url)
        server = psutil.Process(int(client.info("server")["process_id"]))
        settings = {"KLAVIYO_REDIS_URL": url, "KLAVIYO_BASE_URL": base, "KLAVIYO_API_KEY": "pk_sandbox_default"}
        os.environ |= settings
        fill(client, options.accounts, options.buckets)
        port = free_port()
        publish(int(options.seconds * 2 * 3_500 / 60) + 3_500)
        with (
            process("celery", "-A", "worker", "worker", "-l", "CRITICAL", "-Q", "klaviyo.xl", **settings),
            process("celery", "-A", "worker", "flower", f"--port={port}", "--address=127.0.0.1", **settings) as flower,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as visitor,
        ):
            wait_for(visitor)
            processes = (server, psutil.Process(flower.pid))
            redis_alone, flower_alone = measure_cpu_shares(processes, options.seconds, lambda: time.sleep(PACE_S))
            first = time_request(visitor, "")
            asked = itertools.cycle(ASKED)
            times: list[float] = []
            redis_watched, flower_watched = measure_cpu_shares(
                processes, options.seconds, lambda: times.append(request_in_turn(visitor, next(asked)))
            )
        client.close()
    table = Table(title=f"Limits of {options.accounts:,} accounts × {options.buckets} buckets, a worker draining")
    for column in ("the first", "p50", "p95", "slowest", "Flower, CPU a request", "Redis"):
        table.add_column(column, justify="right")
    shown = (first, statistics.median(times), statistics.quantiles(times, n=20)[-1], max(times))
    each = (flower_watched - flower_alone) * options.seconds / len(times)
    more = redis_watched - redis_alone
    table.add_row(*(f"{took * 1000:,.0f} ms" for took in (*shown, each)), f"{redis_alone:.1%} {more:+.1%}")
    Console(width=100).print(table)


def fill(client: redis.Redis, accounts: int, buckets: int) -> None:
    """Give every bucket of every account waiting tasks and recent answers."""
    governor, now = Governor(client), int(time.time() * 1000)
    for account, bucket in itertools.product(range(accounts), range(buckets)):
        line = Line(f"shop-{account}", (Bucket(f"operation-{bucket}", Limits.parse(LIMITS[bucket % len(LIMITS)])),))
        for task in range(1 + (account + bucket) % 3):
            message = f'{{"headers": {{"id": "{account}-{bucket}-{task}", "klaviyo": {{"since": {now / 1000}}}}}}}'
            governor.wait((line.name, line.spec), "bulk", f"{account}-{bucket}-{task}", message)
        client.lpush(f"klaviyo:ring:shop-{account}:operation-{bucket}", *(now + n for n in range(12)))


def publish(count: int) -> None:
    """Queue so many events, for the worker to drain."""
    from tasks.events import create_event

    for number in range(count):
        create_event.on(lane="bulk").delay(metric="Bought", profile={"email": f"p{number}@example.com"})


def wait_for(visitor: httpx.Client) -> None:
    """Wait until Flower answers."""
    while True:
        try:
            if visitor.get("/healthcheck").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)


def time_request(visitor: httpx.Client, query: str) -> float:
    """Ask for the table of the page; how many seconds that took."""
    began = time.perf_counter()
    answer = visitor.get(f"/klaviyo/limits{query}", params=None if query else {"part": "table"})
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - began


def request_in_turn(visitor: httpx.Client, query: str) -> float:
    """Ask, then wait for the next visitor's turn."""
    took = time_request(visitor, query)
    time.sleep(max(0.0, PACE_S - took))
    return took


def measure_cpu_shares(processes: Sequence[psutil.Process], seconds: float, work: Callable[[], object]) -> list[float]:
    """The share of a core that each process used while some work was done again and again for so many seconds."""
    before, began = [sum(each.cpu_times()[:2]) for each in processes], time.monotonic()
    while time.monotonic() < began + seconds:
        work()
    took = time.monotonic() - began
    return [float(sum(each.cpu_times()[:2]) - earlier) / took for each, earlier in zip(processes, before, strict=True)]


if __name__ == "__main__":
    main()
