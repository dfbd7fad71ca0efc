"""`klaviyo sandbox`: a local Klaviyo, as its own process."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

import typer

from cli.terminal.printing import EXIT_USAGE, stop
from cli.up.processes import require_free_port

#: The account of every sandbox, as settings. The key is valid nowhere else.
ACCOUNT = {"KLAVIYO_API_KEY": "pk_sandbox_default", "KLAVIYO_COMPANY_ID": "SBX001"}


def sandbox(
    port: Annotated[int, typer.Option(help="port to listen on; 0 picks a free one")] = 8080,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    latency: Annotated[str, typer.Option(help="milliseconds each way, as a range")] = "10-60",
    job_seconds: Annotated[float, typer.Option(help="seconds that an asynchronous job takes")] = 2.0,
    seed: Annotated[int, typer.Option(help="seed of window phases, ids and latency")] = 0,
) -> None:
    """Run a local Klaviyo to try things out: stateful, with Klaviyo's exact limits."""
    require_free_port(port, "--port", host)
    given = command(port, "--host", host, "--latency", latency, "--job-seconds", str(job_seconds), "--seed", str(seed))
    # This process becomes the sandbox, so that none is left behind however the command ends.
    os.execv(given[0], given)  # noqa: S606


def command(port: int, *options: str) -> list[str]:
    """Return the command line of a sandbox. The worker's code never imports it.

    Raises:
        Exit: the packages that it needs are not installed.

    """
    if missing := [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]:
        raise stop(f"The sandbox needs {' and '.join(missing)}: pip install 'klaviyo-worker[sandbox]'.", EXIT_USAGE)
    return [sys.executable, "-m", "sandbox", "--port", str(port), *options]
