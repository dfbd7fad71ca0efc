"""How long a command takes to start, compared with loading every command first, as most command lines do.

python -m benchmarks.startup          the fastest of nine runs, alternating, on a server of its own

Then what `klaviyo up --sandbox` has done after how long, and the CPU seconds that all its processes have used by then:
the medians of five runs, alternating with others in which each process starts from nothing instead of being forked.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.processes import ROOT, cpu_seconds
from cli.up.embedded import server
from cli.up.processes import free_port

RUNS, RUNS_OF_UP = 9, 5
COMMANDS = (("--help",), ("limits",), ("jobs",))

#: Runs a command; and runs it with every command imported first.
THIS = "from cli import main; main()"
ALL = (
    "from importlib import import_module; from cli.commands import COMMANDS; "
    "[import_module('cli.' + place.partition(':')[0]) for place, _ in COMMANDS.values()]; "
) + THIS


def time_command(program: str, words: tuple[str, ...], environment: dict[str, str]) -> float:
    """Seconds from the start of the process to its end."""
    began = time.perf_counter()
    command = [sys.executable, "-c", program, *words]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


#: `klaviyo up` where it cannot fork.
UNFORKED = "import contextlib, cli.up.command; cli.up.command.forking = contextlib.nullcontext; "

#: The steps of `klaviyo up`, each with a part of the line that tells of it.
STEPS = (
    ("the store is there", "The store at"),
    ("Redis answers", "Redis: embedded"),
    ("all processes are started", "Flower: http"),
    ("the sandbox listens", "sandbox: http"),
    ("the worker is ready", " ready."),
)


def time_steps_of_up(before: str) -> Iterator[tuple[str, float, float]]:
    """Start `klaviyo up --sandbox` in an empty folder; yield its steps, with the seconds and CPU seconds until each."""
    ports = ("--sandbox-port", str(free_port()), "--flower-port", str(free_port()))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KLAVIYO_")}
    environment["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        began = time.perf_counter()
        started = subprocess.Popen(
            [sys.executable, "-c", before + THIS, "up", "--sandbox", *ports],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            left = dict(STEPS)
            for printed in started.stdout or ():
                for step in [step for step, part in left.items() if part in printed]:
                    del left[step]
                    yield step, time.perf_counter() - began, cpu_seconds(psutil.Process(started.pid))
                if not left:
                    break
        finally:
            started.send_signal(signal.SIGINT)
            started.communicate(timeout=60)


def main() -> None:
    """Measure, and print the tables."""
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, server(Path(folder)) as url:
        environment = {**os.environ, "KLAVIYO_REDIS_URL": url}
        print(f"{'command':<18}{'this':>9}{'all loaded':>13}")
        for words in COMMANDS:
            took: dict[str, list[float]] = {THIS: [], ALL: []}
            for _ in range(RUNS):
                for program, times in took.items():
                    times.append(time_command(program, words, environment))
            print(f"klaviyo {' '.join(words):<10}{min(took[THIS]):>7.2f} s{min(took[ALL]):>11.2f} s")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(RUNS_OF_UP):
        for how in ("", UNFORKED):
            for step, took_s, cpu_s in time_steps_of_up(how):
                found.setdefault((step, how), []).append((took_s, cpu_s))
    print(f"\n{'klaviyo up --sandbox':<28}{'after':>8}{'CPU':>10}{'unforked: after':>20}{'CPU':>10}")
    for step, _ in STEPS:
        medians = [statistics.median(each) for how in ("", UNFORKED) for each in zip(*found[step, how], strict=True)]
        print("{:<28}{:>6.2f} s{:>8.2f} s{:>18.2f} s{:>8.2f} s".format(step, *medians))


if __name__ == "__main__":
    main()
