"""`klaviyo demo`: the whole system on this machine, against the sandbox, under load, with proof at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer

from cli.demo.data import Data, generate, load
from cli.demo.run import Run
from cli.demo.sandbox import SideDoor
from cli.demo.story import Story
from cli.demo.view import View
from cli.sandbox import ACCOUNT, command
from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, say, stop
from cli.terminal.signals import interruptible
from cli.up.command import start_beat, start_flower, start_worker
from cli.up.embedded import find_server, server
from cli.up.forked import forking
from cli.up.processes import LOOPBACK, Processes, free_port
from schedules.store.migrate import upgrade
from worker.app import app, configuration
from worker.governor import get_governor
from worker.settings import get_settings

#: How many requests the worker makes at once: at 70 ms each, more than the 350 a second of the largest tier need.
CONCURRENCY = 48

#: The most failed calls whose reasons the summary prints.
MAX_FAILURES = 5


def demo(
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="customers, as CSV or JSON Lines; invented ones if left out")
    ] = None,
    orders: Annotated[Path | None, typer.Option(metavar="FILE", help="their orders; invented ones if left out")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running until Ctrl-C")] = False,
) -> None:
    """Start everything, import customers, send their purchases, read them back, and prove that every limit was kept."""
    if orders and not data:
        raise stop("--orders needs --data, the file of the customers whose orders these are.", EXIT_USAGE)
    with interruptible(), _folder() as folder, forking() as forks:
        loaded = _loaded(data, orders, folder)
        port, flower = free_port(), free_port()
        with (
            server(folder / "redis") as redis_url,
            Processes(_settings(redis_url, port, folder), logs=folder, forks=forks) as processes,
        ):
            sandbox = _started(processes, folder, port, flower)
            with View(sandbox) as view:

                def meanwhile() -> None:
                    processes.check()
                    view.refresh_if_due()

                run = Run(meanwhile)
                proof = Story(loaded, run, view, sandbox, folder).tell()
            remarks = [*loaded.remarks, *dict.fromkeys(run.failures[:MAX_FAILURES])]
            view.summary(proof, _address(flower), remarks, keep)
            if keep:
                say("Everything keeps running until Ctrl-C.", "bold")
                with contextlib.suppress(KeyboardInterrupt):
                    processes.watch()
        if not proof.holds:
            raise typer.Exit(EXIT_FAILED)


def _loaded(data: Path | None, orders: Path | None, folder: Path) -> Data:
    say(f"Reading {data}{f' and {orders}' if orders else ''} …" if data else "Inventing customers and purchases …")
    loaded = load(data, orders) if data else load(*generate(folder))
    say(f"{len(loaded.customers):,} customers and {len(loaded.purchases):,} purchases.")
    for remark in loaded.remarks:
        say(remark, "yellow")
    return loaded


def _settings(redis_url: str, port: int, folder: Path) -> dict[str, str]:
    """Return the settings of all the demo's processes, and apply them to this one."""
    environment = {
        **ACCOUNT,
        "KLAVIYO_REDIS_URL": redis_url,
        "KLAVIYO_BASE_URL": _address(port),
        # For what beat may start meanwhile: invented rows must not end up among customers' rows.
        "KLAVIYO_STORE_URL": f"sqlite:///{folder / 'store.db'}",
        "KLAVIYO_CONCURRENCY": str(CONCURRENCY),
        # This machine must not be reached through a proxy.
        "NO_PROXY": LOOPBACK,
    }
    os.environ.update(environment)
    get_settings.cache_clear()
    # The actions were declared under the previous settings.
    app.conf.update(configuration())
    upgrade(get_settings().store_url)
    return environment


def _started(processes: Processes, folder: Path, port: int, flower: int) -> SideDoor:
    """Start everything and wait until it is ready."""
    say(f"Starting {find_server()[1]}, the sandbox (a local Klaviyo), a worker, beat and Flower …")
    sandbox = SideDoor(_address(port))
    processes.start("sandbox", command(port, "--latency", "10-60", "--job-seconds", "2"))
    start_flower(processes, flower)
    start_beat(processes, level="warning")
    start_worker(processes, "worker", get_settings(), level="warning")
    ready: dict[str, Callable[[], bool]] = {
        "the sandbox": sandbox.is_ready,
        "the worker": lambda: bool(get_governor().slots()),
        "Flower": lambda: _answers(f"{_address(flower)}/healthcheck"),
    }
    for name, answers in ready.items():
        processes.wait_for(name, answers)
        say(f"{name[0].upper()}{name[1:]} is ready.", "dim")
    return sandbox


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder for data and logs; it is kept if something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="klaviyo-demo-"))
    failed = False
    try:
        yield folder
    except Exception:
        failed = any(folder.glob("*.log"))
        raise
    finally:
        if failed:
            say(f"The logs are in {folder}.")
        else:
            shutil.rmtree(folder)


def _address(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).is_success
    except httpx.TransportError:
        return False
