"""What watching jobs costs, compared with polling each every five seconds: requests, and how late an end is noticed.

python -m benchmarks.watching [--jobs 200] [--seconds 60]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.processes import listening, redis_server, workers

WATCHED, POLLED = "a", "b"
POLL_INTERVAL_S = 5.0
LOOKS = ("get_bulk_import_profiles_jobs", "get_bulk_import_profiles_job")


def poll(jobs: list[str], base: str) -> None:
    """Poll each job every five seconds until it is over, as a program without a ledger would."""
    headers = {"revision": "2026-07-15", "authorization": "Klaviyo-API-Key pk_sandbox_b"}
    with httpx.Client(base_url=f"{base}/api", headers=headers) as client, ThreadPoolExecutor(8) as pool:

        def unfinished(job: str) -> bool:
            attributes = client.get(f"/profile-bulk-import-jobs/{job}").json()["data"]["attributes"]
            return bool(attributes["status"] != "complete")

        while jobs:
            due = time.monotonic() + POLL_INTERVAL_S
            jobs = [job for job, going_on in zip(jobs, pool.map(unfinished, jobs), strict=True) if going_on]
            time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a job takes")
    options = parser.parse_args()
    with redis_server() as url, listening("sandbox", "--port", "0", "--latency", "5-15") as base:
        os.environ.update(
            KLAVIYO_REDIS_URL=url,
            KLAVIYO_BASE_URL=base,
            KLAVIYO_ACCOUNTS__A__API_KEY="pk_sandbox_a",
            KLAVIYO_ACCOUNTS__B__API_KEY="pk_sandbox_b",
        )
        from tasks.jobs import run_job
        from tasks.profiles import ImportedProfile, bulk_import_profiles

        door = httpx.Client(base_url=f"{base}/_sandbox", timeout=30)
        door.post("/jobs", json={"seconds": options.seconds, "times": None})
        # More than Klaviyo allows: its budget would not last for a poll per job.
        door.post("/limits", json={"burst": 1_000, "steady": 100_000})
        with workers(1, "benchmarks.measured", url, KLAVIYO_CONCURRENCY="32"):
            bodies: list[list[ImportedProfile]] = [[{"email": f"p{n}@example.com"}] for n in range(options.jobs)]
            watched = [run_job(bulk_import_profiles).on(WATCHED).delay(profiles=body) for body in bodies]
            started = [bulk_import_profiles.on(POLLED).delay(profiles=body) for body in bodies]
            poll([each.get(timeout=120)["job_id"] for each in started], base)
            ends = [each.get(timeout=60)["data"] for each in watched]
        rows = door.get("/requests").json()
    counts = {
        side: sum(row["account"] == side and row["operation"] in LOOKS for row in rows) for side in (WATCHED, POLLED)
    }
    late = statistics.mean(end["seconds"] - options.seconds for end in ends)
    table = Table(title=f"Watching {options.jobs} jobs of {options.seconds:.0f} s")
    for column in ("", "watched", f"a poll per job in {POLL_INTERVAL_S:.0f} s", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    ratio = counts[POLLED] / counts[WATCHED]
    table.add_row("requests", f"{counts[WATCHED]:,}", f"{counts[POLLED]:,}", f"1/{ratio:.0f}")
    table.add_row("seconds until the end is noticed, mean", f"{late:.1f}", f"{POLL_INTERVAL_S / 2:.1f} (expected)", "")
    Console().print(table)


if __name__ == "__main__":
    main()
