"""Reading a long stream: how close to the limit, compared with one serial cursor, and how urgent calls fare meanwhile.

python -m benchmarks.syncs [--profiles 100000] [--events 0] [--latency 75]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import RowMapping

from benchmarks.processes import listening, redis_server, workers

PAGE = 100
QUICK = ("get_profiles", "get_lists")


class Quick(threading.Thread):
    """An application's calls, a few per second, and how long each takes from call to result."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds: dict[str, list[float]] = {name: [] for name in QUICK}
        self._over = threading.Event()

    def run(self) -> None:
        """Call until stopped."""
        from worker.action import ACTIONS

        while not self._over.wait(0.3):
            for name in QUICK:
                begun = time.perf_counter()
                ACTIONS[name].delay(page_size=1).get(timeout=120)
                self.seconds[name].append(time.perf_counter() - begun)

    def stop(self) -> dict[str, float]:
        """Stop; returns the 95th percentiles in seconds."""
        self._over.set()
        self.join()
        return {name: statistics.quantiles(values, n=20)[18] for name, values in self.seconds.items()}


def serial(base: str) -> tuple[int, float]:
    """Read all profiles with one cursor, page after page; returns pages and seconds."""
    headers = {"revision": "2026-07-15", "authorization": "Klaviyo-API-Key pk_sandbox_a"}
    url: str | None = (
        f"{base}/api/profiles?page%5Bsize%5D=100&sort=updated&additional-fields%5Bprofile%5D=subscriptions"
    )
    pages, begun = 0, time.perf_counter()
    with httpx.Client(headers=headers, timeout=60) as client:
        while url:
            answer = client.get(url)
            if answer.status_code == 429:
                time.sleep(float(answer.headers["retry-after"]))
                continue
            pages += 1
            url = answer.json()["links"].get("next")
    return pages, time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--latency", default="75", help="milliseconds each way")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_server() as url,
        listening("sandbox", "--port", "0", "--latency", options.latency) as base,
    ):
        store = f"sqlite:///{Path(folder) / 'store.db'}"
        os.environ.update(
            KLAVIYO_REDIS_URL=url, KLAVIYO_BASE_URL=base, KLAVIYO_API_KEY="pk_sandbox_default", KLAVIYO_STORE_URL=store
        )
        from schedules.store import runs
        from schedules.store.connection import reading
        from schedules.store.migrate import upgrade
        from schedules.sync import request_sync

        upgrade(store)
        door = httpx.Client(base_url=f"{base}/_sandbox", timeout=300)
        for account in ("default", "a"):
            events = options.events if account == "default" else 0
            door.post("/seed", json={"account": account, "profiles": options.profiles, "events": events})
        streams = ["profiles", *(["events"] if options.events else [])]
        with workers(1, "benchmarks.measured", url):
            idle = Quick()
            idle.start()
            time.sleep(20)
            before = idle.stop()
            loaded = Quick()
            loaded.start()
            ends: dict[str, RowMapping] = {}
            request_sync("default", streams, "full")
            while len(ends) < len(streams):
                time.sleep(0.5)
                with reading() as connection:
                    found = [runs.latest(connection, "default", name, "pull") for name in streams]
                ends = {row["stream"]: row for row in found if row and row["state"] == "done"}
            during = loaded.stop()
        rows = door.get("/requests").json()
        requests = {name: sum(row["operation"] == f"get_{name}" and row["account"] == "default" for row in rows)
                    for name in streams}  # fmt: skip
        refused = sum(row["status"] == 429 for row in rows)
        pages, seconds = serial(base)
    table = Table(title=f"Reading {options.profiles:,} profiles, {2 * int(options.latency)} ms a request")
    for column in ("", "requests", "seconds", "requests ÷ limit", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    from worker.action import ACTIONS

    for name, end in ends.items():
        took = (end["ended"] - end["started"]).total_seconds()
        steady = ACTIONS[f"get_{name}"].declaration.limits.steady
        ideal = end["requests"] / steady * 60
        table.add_row(f"sync {name}", f"{end['requests']:,}", f"{took:.1f}", f"{ideal:.1f}", f"{took / ideal:.2f}")
    ideal = pages / 750 * 60
    table.add_row("one serial cursor", f"{pages:,}", f"{seconds:.1f}", f"{ideal:.1f}", f"{seconds / ideal:.2f}")
    Console().print(table)
    quick = Table(title="What quick calls of the application notice (p95, call to result)")
    for column in ("", "idle", "during the sync", "ratio"):
        quick.add_column(column, justify="right" if column else "left")
    for name in QUICK:
        ratio = during[name] / before[name]
        quick.add_row(name, f"{before[name] * 1000:.0f} ms", f"{during[name] * 1000:.0f} ms", f"{ratio:.2f}")
    Console().print(quick)
    print(f"429s: {refused}; requests at the sandbox, quick calls included: {requests}")


if __name__ == "__main__":
    main()
