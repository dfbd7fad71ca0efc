"""`klaviyo sandbox`: a local Klaviyo, as a process of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

import typer

from cli.processes import need_port
from cli.terminal import WRONG, stop

#: The account that every sandbox has, as settings. The key opens nothing else.
ACCOUNT = {"KLAVIYO_API_KEY": "pk_sandbox_default", "KLAVIYO_COMPANY_ID": "SBX001"}


def sandbox(
    port: Annotated[int, typer.Option(help="0 picks a free one")] = 8080,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    latency: Annotated[str, typer.Option(help="milliseconds each way, from-to")] = "10-60",
    job_seconds: Annotated[float, typer.Option(help="how long an asynchronous job takes")] = 2.0,
    seed: Annotated[int, typer.Option(help="of window phases, ids and latency")] = 0,
) -> None:
    """Run a local Klaviyo to try things on: stateful, with Klaviyo's exact limits."""
    need_port(port, "--port", host)
    given = command(port, "--host", host, "--latency", latency, "--job-seconds", str(job_seconds), "--seed", str(seed))
    # This process becomes the sandbox: there is none that could outlive it, however it is ended.
    os.execv(given[0], given)  # noqa: S606


def command(port: int, *options: str) -> list[str]:
    """How a sandbox is started. The worker's code never imports it.

    Raises:
        Exit: what it is built on is not installed.

    """
    if missing := [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]:
        raise stop(f"The sandbox needs {' and '.join(missing)}: pip install 'klaviyo-worker[sandbox]'.", WRONG)
    return [sys.executable, "-m", "sandbox", "--port", str(port), *options]
