"""What accounts get of a worker that has too few slots for all, and what one that hangs costs the others.

    python -m benchmarks.fairness [--accounts 40] [--seconds 20] [--rounds 1]

A worker with 32 threads, of which a tier gets 24, and a sandbox that answers after 350 to 450 ms. Every account has a
backlog, of 100 to 10,000 calls; no window of Klaviyo's is ever full. By turns all accounts are answered, and one hangs
while another gets nothing but 429s. Printed: Jain's index of the requests that were answered (1: all alike), and how
many those of the other accounts were.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterable

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.processes import listening, redis_server, workers

THREADS, OPERATION = 32, "get_events"

#: Seconds after which a request that hangs is given up, so that a round is over soon.
READ_TIMEOUT_S = 5

#: Seconds of a change that belong to neither side: what was under way ends meanwhile.
PAUSE_S = READ_TIMEOUT_S + 1


def jain(numbers: Iterable[int]) -> float:
    """Jain's index of fairness: 1 where all are equal, 1/n where one has everything."""
    found = list(numbers)
    return sum(found) ** 2 / (len(found) * sum(each**2 for each in found) or 1)


def count_answered(door: httpx.Client, since: float, until: float) -> Counter[str]:
    """By account, how many requests the sandbox has answered with success in that span."""
    answer = door.get("/requests", params={"operation": OPERATION}).json()
    rows = answer["requests"] if isinstance(answer, dict) else answer
    return Counter(row["account"] for row in rows if row["status"] == 200 and since <= row["at"] < until)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    names = [f"shop-{number}" for number in range(options.accounts)]
    hanging, throttled, *others = names
    with redis_server() as url, listening("sandbox", "--port", "0", "--latency", "175-225") as base:
        keys = {f"KLAVIYO_ACCOUNTS__{name.upper().replace('-', '_')}__API_KEY": f"pk_{name}" for name in names}
        os.environ.update({"KLAVIYO_REDIS_URL": url, "KLAVIYO_BASE_URL": base, **keys})
        from tasks.events import get_events

        door = httpx.Client(base_url=f"{base}/_sandbox", timeout=60)
        for number, name in enumerate(names):
            door.post("/accounts", json={"alias": name, "key": f"pk_{name}", "company_id": f"SHOP{number:02}"})
            size = round(100 * 100 ** (number / max(1, len(names) - 1)))
            get_events.on(name, lane="bulk").delay_many([{}] * size)
        settings = {"KLAVIYO_CONCURRENCY": str(THREADS), "KLAVIYO_READ_TIMEOUT": str(READ_TIMEOUT_S)}
        sides: dict[str, list[Counter[str]]] = {"all are answered": [], "one hangs, one gets 429s": []}
        with workers(1, "benchmarks.measured", url, **settings):
            time.sleep(PAUSE_S)
            for _ in range(options.rounds):
                for side, found in sides.items():
                    door.delete("/faults")
                    if side != "all are answered":
                        door.post("/faults", json={"fault": "hang", "account": hanging, "seconds": 60, "times": None})
                        wait = {"status": 429, "retry_after": 1, "times": None}
                        door.post("/faults", json={"fault": "status", "account": throttled, **wait})
                    time.sleep(PAUSE_S)
                    began = time.time()
                    time.sleep(options.seconds)
                    found.append(count_answered(door, began, time.time()))
        door.close()
    table = Table(title=f"{len(names)} accounts with backlogs on {THREADS} threads")
    for column in (
        "",
        "requests/s of the other accounts",
        "beside all answered",
        "Jain's index of theirs",
        "fewest",
        "most",
    ):
        table.add_column(column, justify="right" if column else "left")
    whole = sum(sum(each[name] for name in others) for each in sides["all are answered"])
    for side, found in sides.items():
        each = {name: sum(counts[name] for counts in found) for name in others}
        rate = sum(each.values()) / options.seconds / options.rounds
        table.add_row(
            side,
            f"{rate:.1f}",
            f"{sum(each.values()) / whole - 1:+.1%}",
            f"{jain(each.values()):.4f}",
            f"{min(each.values())}",
            f"{max(each.values())}",
        )
    Console(width=128).print(table)


if __name__ == "__main__":
    main()
