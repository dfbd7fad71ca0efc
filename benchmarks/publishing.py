"""What publishing a call costs beside a plain Celery task's with the same arguments, and what importing the tasks does.

python -m benchmarks.publishing [--calls 1000] [--rounds 9]      the two in turn, on a server of their own
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.processes import redis_server

PERSON: dict[str, Any] = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "properties": {"plan": "gold", "shoe_size": 41},
}

#: What a process does that only imports, and what it says of itself: CPU seconds, and MB that Python has allocated.
IMPORT = (
    "import time, tracemalloc\n{trace}\n{imports}\nprint(time.process_time(), tracemalloc.get_traced_memory()[0] / 1e6)"
)
#: What is imported: all actions; those of one section, with what a first call loads; and Celery with its client.
IMPORTS = {
    "import tasks.registry": "import tasks.registry",
    "tasks.profiles, and what a call loads": "from tasks.profiles import create_profile\ncreate_profile.task",
    "Celery and redis-py, for a plain task": "import celery, redis\ncelery.Celery('x', broker='redis://').amqp.Producer",
}


@dataclass
class Cost:
    """Of one call: seconds of CPU, and by the clock."""

    cpu: float
    wall: float


def cost(call: Callable[[], object], calls: int) -> Cost:
    """What a call costs this process, over so many."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return Cost((time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls)


def imported(program: str, rounds: int) -> tuple[float, float]:
    """CPU seconds, and MB that Python has allocated, of a process that imports."""

    def run(trace: str) -> list[float]:
        command = [sys.executable, "-c", IMPORT.format(trace=trace, imports=program)]
        return [float(each) for each in subprocess.run(command, capture_output=True, check=True).stdout.split()]

    return min(run("")[0] for _ in range(rounds)), run("tracemalloc.start()")[1]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with redis_server() as url:
        os.environ.update(KLAVIYO_REDIS_URL=url, KLAVIYO_API_KEY="pk")
        from benchmarks import plain
        from tasks.profiles import create_profile

        plain.bench.typing = False
        kinds: dict[str, Callable[[], object]] = {
            "plain Celery": lambda: plain.bench.delay(**PERSON),
            "this, checked": lambda: create_profile.delay(**PERSON),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in kinds}
        for _ in range(options.rounds + 1):
            for name, call in kinds.items():
                costs[name].append(cost(call, options.calls))
    table = Table("", "CPU s for 1,000 calls", "ms a call, by the clock", title="A call to .delay()")
    medians = {}
    for name, found in costs.items():
        # The first round loads and connects.
        cpu, wall = (statistics.median(getattr(each, what) for each in found[1:]) for what in ("cpu", "wall"))
        medians[name] = cpu
        table.add_row(name, f"{cpu * 1000:.2f}", f"{wall * 1000:.2f}")
    ours, theirs = medians["this, checked"], medians["plain Celery"]
    table.add_row("this ÷ plain Celery", f"{ours / theirs:.2f}", "")
    loads = Table("", "CPU s", "MB allocated by Python", title="A process that only imports")
    for name, program in IMPORTS.items():
        seconds, allocated = imported(program, options.rounds)
        loads.add_row(name, f"{seconds:.2f}", f"{allocated:.1f}")
    for each in (table, loads):
        Console().print(each)


if __name__ == "__main__":
    main()
