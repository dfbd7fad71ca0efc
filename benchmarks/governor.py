"""How much of Klaviyo's limits is used, and at what cost, compared with what a user might pick instead.

    python -m benchmarks.governor [--seconds 130] [--only ours-1,autoretry]

Every design gets the same load in the same sandbox: a backlog in three accounts × five tiers at once, windows with
random phase, 10–60 ms each way, and a probe of a free bucket twice a second. It prints the mean use of the full steady
windows of each tier, 429s, and the probe's latency and a worker's memory compared with idle.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.load import ACCOUNTS, LOADED, OPERATIONS, PROBE
from benchmarks.processes import listening, redis_server, workers

IDLE_S = 20
WARM_UP_CALLS = 200
Publish = Callable[[str, str], object]


@dataclass
class Outcome:
    """What one design did."""

    use: dict[str, list[float]] = field(default_factory=dict)
    refused: int = 0
    answered: int = 0
    idle: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    lost_probes: int = 0
    memory: float = 0.0


class Probe(threading.Thread):
    """Publishes a request to the free bucket twice a second and records when."""

    def __init__(self, publish: Publish) -> None:
        super().__init__(daemon=True)
        self._publish = publish
        self._over = threading.Event()
        self.sent: list[float] = []

    def run(self) -> None:
        """Publish until stopped."""
        while not self._over.wait(0.5):
            self.sent.append(time.time())
            self._publish("default", PROBE[0])

    def stop(self) -> None:
        """Stop publishing."""
        self._over.set()
        self.join()


def measure(
    base: str, url: str, count: int, app: str, queues: str, publish: Publish, seconds: int, **env: str
) -> Outcome:
    """One design: idle first, then under load."""
    httpx.post(f"{base}/_sandbox/reset", json={"seed": 11}, timeout=30)
    client = redis.Redis.from_url(url)
    client.flushall()
    outcome = Outcome()
    with workers(count, app, url, "-Q", queues, KLAVIYO_BASE_URL=base, **env) as pids:
        # A worker counts as idle once it has worked: every thread has its connection.
        for _ in range(WARM_UP_CALLS):
            publish("c", "get_events")
        time.sleep(5)
        probe = Probe(publish)
        probe.start()
        time.sleep(IDLE_S)
        idle = max(_rss(pid) for pid in pids)
        until = len(probe.sent)
        for operation, _, _, steady in reversed(OPERATIONS):
            # Enough to outlast the publishing itself, which takes a minute.
            for _ in range(int(steady * (seconds / 60 + 3))):
                for account in LOADED:
                    publish(account, operation)
        began, highest = time.time(), 0.0
        while time.time() < began + seconds:
            highest = max([highest, *(_rss(pid) for pid in pids)])
            time.sleep(1)
        ended = time.time()
        probe.stop()
        counts = httpx.get(f"{base}/_sandbox/requests/counts", timeout=60).json()
        windows = httpx.get(f"{base}/_sandbox/windows", timeout=60).json()
        rows = httpx.get(f"{base}/_sandbox/requests", params={"operation": PROBE[0]}, timeout=60).json()
        client.flushall()
    client.close()
    outcome.memory = highest - idle
    outcome.refused, outcome.answered = counts["throttled"], counts["not_throttled"]
    outcome.use = {operation: _use(windows, operation, steady, began, ended) for operation, _, _, steady in OPERATIONS}
    # Probes are published one at a time and in order: the nth to arrive is the nth sent.
    waits = [(row["at"] - sent) * 1000 for row, sent in zip(_rows(rows), probe.sent, strict=False)]
    outcome.idle, outcome.loaded = waits[2:until], waits[until:]
    outcome.lost_probes = len(probe.sent) - len(waits)
    return outcome


def _rows(answer: Any) -> list[dict[str, Any]]:
    return sorted(answer["requests"] if isinstance(answer, dict) else answer, key=lambda row: row["n"])


def _rss(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6


def _use(windows: Any, operation: str, steady: int, began: float, ended: float) -> list[float]:
    used = [
        number / steady
        for account in LOADED
        for start, number in windows.get(account, {}).get(operation, {}).get("full_windows", {}).get("60", [])
        if start >= began and start + 60 <= ended
    ]
    return used or [0.0]  # never requested


def main() -> None:
    """Run the designs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=130)
    parser.add_argument("--only", default="ours-1,ours-2,ours-4,rate_limit,autoretry,sdk")
    options = parser.parse_args()
    outcomes: dict[str, Outcome] = {}
    with redis_server() as url, listening("sandbox", "--port", "0", "--latency", "10-60") as base:
        accounts = {f"KLAVIYO_ACCOUNTS__{name.upper()}__API_KEY": key for name, key in ACCOUNTS.items()}
        os.environ.update({"KLAVIYO_REDIS_URL": url, "KLAVIYO_BASE_URL": base, **accounts})
        import tasks.registry  # noqa: F401 (registers the actions)
        from benchmarks import peers
        from worker.action import ACTIONS

        def ours(account: str, operation: str) -> object:
            return ACTIONS[operation].on(account, lane="bulk" if operation != PROBE[0] else "now").delay()

        def theirs(account: str, operation: str) -> object:
            return peers.TASKS[account, operation].delay()

        for name in options.only.split(","):
            if name.startswith("ours"):
                count = int(name.partition("-")[2] or 1)
                queues = "klaviyo.xs,klaviyo.s,klaviyo.m,klaviyo.l,klaviyo.xl"
                outcomes[name] = measure(base, url, count, "benchmarks.measured", queues, ours, options.seconds)
            else:
                outcomes[name] = measure(base, url, 1, "benchmarks.peers", "peers", theirs, options.seconds, PEER=name)
            Console(width=128).print(table({name: outcomes[name]}))
    Console(width=128).print(table(outcomes))


TITLE = "Three accounts × five tiers: mean use of full steady windows; a free bucket's probe, p50 / p99; memory"


def table(outcomes: dict[str, Outcome]) -> Table:
    """The outcomes, one row each."""
    made = Table(title=TITLE)
    for column in ("design", "XS", "S", "M", "L", "XL", "429s", "answered", "idle", "loaded", "stuck", "MB"):
        made.add_column(column, justify="left" if column == "design" else "right", no_wrap=True)
    for name, outcome in outcomes.items():
        made.add_row(
            name,
            *(f"{statistics.mean(use) * 100:.1f} %" for use in outcome.use.values()),
            f"{outcome.refused:,}",
            f"{outcome.answered:,}",
            _latency(outcome.idle),
            _latency(outcome.loaded),
            f"{outcome.lost_probes}",
            f"+{outcome.memory:.0f}",
        )
    return made


def _latency(values: list[float]) -> str:
    if len(values) < 2:
        return "-"
    cuts = statistics.quantiles(values, n=100)
    middle, late = cuts[49], cuts[98]
    return f"{middle:.0f} / {late:.0f} ms" if late < 10_000 else f"{middle / 1000:.0f} / {late / 1000:.0f} s"


if __name__ == "__main__":
    main()
