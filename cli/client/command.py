"""`klaviyo client`: print the module, or check whether a file is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.client.module import module, same
from cli.terminal.printing import EXIT_USAGE, say, stop
from worker.action import ACTIONS


def client(
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write nothing; exit with 1 if FILE is out of date")
    ] = None,
) -> None:
    """Write a typed module with every action, for an application in another code base; it needs only Celery.

    `klaviyo client > app/klaviyo_actions.py`
    """
    written = module([each.declaration for each in ACTIONS.values()])
    if check is None:
        typer.echo(written, nl=False)
    elif same(_read(check), written):
        say(f"{check} is up to date.", "green")
    else:
        raise stop(f"{check} is out of date: run `klaviyo client > {check}`.")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise stop(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not a text file'}.", EXIT_USAGE
        ) from None
