"""`klaviyo push`: send what has changed in a source defined in the settings."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import schedules  # noqa: F401  registers every task
from cli.no_worker import warn_without_worker
from cli.store import require_store
from cli.terminal.printing import EXIT_FAILED, print_json, say, stdout
from cli.terminal.tables import facts, most_frequent
from cli.terminal.times import duration
from schedules.push.report import PushReport
from schedules.push.run import run_push
from schedules.push.task import configured_push


def push(
    name: Annotated[str, typer.Argument(help="the name in KLAVIYO_PUSHES__<NAME>__KIND and __SOURCE")],
    force: Annotated[bool, typer.Option("--force", help="delete records even if they are more than a tenth")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Push what has changed since the last run, and wait for the outcome."""
    wanted = configured_push(name)
    warn_without_worker()
    with require_store():
        report = run_push(wanted, force=force)
    if as_json:
        print_json(report.as_dict())
    else:
        stdout().print(_table(report))
        if report.reasons:
            say(f"The next run sends the rows that did not land again: {most_frequent(report.reasons)}.", "yellow")
    if report.checked or report.rejected or report.unknown:
        raise typer.Exit(EXIT_FAILED)


def _table(report: PushReport) -> Table:
    failed = report.checked + report.rejected + report.unknown
    counts = [(name, f"{getattr(report, name):,}") for name in ("rows", "unchanged", "created", "updated", "deleted")]
    return facts(
        *counts,
        ("not landed", Text(f"{failed:,}", "red" if failed else "")),
        ("requests", f"{report.requests:,}"),
        ("time", duration(report.seconds)),
        ("note", report.note),
    )
