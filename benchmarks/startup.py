"""How long a command takes to start, compared with loading every command first, as most command lines do.

python -m benchmarks.startup          the fastest of nine runs, alternating, on a server of its own
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from worker.embedded import server

RUNS = 9
COMMANDS = (("--help",), ("limits",), ("jobs",))

#: Runs a command; and runs it with every command imported first.
THIS = "from cli import main; main()"
ALL = (
    "from importlib import import_module; from cli.commands import COMMANDS; "
    "[import_module('cli.' + place.partition(':')[0]) for place, _ in COMMANDS.values()]; "
) + THIS


def seconds(program: str, words: tuple[str, ...], environment: dict[str, str]) -> float:
    """Seconds from the start of the process to its end."""
    began = time.perf_counter()
    command = [sys.executable, "-c", program, *words]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print the table."""
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, server(Path(folder)) as url:
        environment = {**os.environ, "KLAVIYO_REDIS_URL": url}
        print(f"{'command':<18}{'this':>9}{'all loaded':>13}")
        for words in COMMANDS:
            took: dict[str, list[float]] = {THIS: [], ALL: []}
            for _ in range(RUNS):
                for program, times in took.items():
                    times.append(seconds(program, words, environment))
            print(f"klaviyo {' '.join(words):<10}{min(took[THIS]):>7.2f} s{min(took[ALL]):>11.2f} s")


if __name__ == "__main__":
    main()
