"""`klaviyo reimport`: the imports of a span of time once more, as Klaviyo asks for it after an incident."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

import tasks.registry  # noqa: F401  registers every action
from cli.imports.run import carry_out
from cli.terminal.printing import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, say, stdout, stop
from cli.terminal.tables import Listing, listing
from cli.terminal.times import clock, day_and_time, moment
from tasks.imports.kinds import KINDS
from tasks.imports.run import repeat_import
from tasks.jobs.import_runs import Run, get_runs
from worker.accounts.lookup import account
from worker.errors import KlaviyoError, SettingsError
from worker.redis.homes import gathered
from worker.settings import get_settings


def reimport(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="ISO 8601, in this machine's zone if it has none, or 5m, 2h, 3d")
    ],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="now if left out")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Import whatever was being imported in a span of time again: each file once more, as a new run.

    Exit code 0: all of it has landed again. 1: some rows have not, or an import could not be repeated and says why.
    """
    now = get_runs().now()
    first, last = moment(since, now), moment(until, now) if until else now
    if first > last:
        raise stop(f"The span ends before it begins: {clock(first)} to {clock(last)}.", EXIT_USAGE)
    say(f"Imports under way between {clock(first)} and {clock(last)}:", "bold")
    found = running_since(gathered(lambda: get_runs().recent(until=last)), first)
    hindered = {run.id: why for run in found if (why := why_not_repeatable(run))}
    chosen = [run for run in found if run.id not in hindered]
    if hindered:
        stdout().print(_hindered_table([run for run in found if run.id in hindered], hindered))
        stdout().print()
    # Nobody misses what was cancelled.
    missed = sum(run.state != "cancelled" for run in found if run.id in hindered)
    code = 0
    if chosen:
        stdout().print(_chosen_table(chosen))
        _confirm(len(chosen), yes)
        code = _import(chosen)
    else:
        say("There is nothing to import again.")
    if missed and code != EXIT_INTERRUPTED:
        say(f"{_imports(missed)} not repeated, and may be missing at Klaviyo; the table above says why.", "red")
    raise typer.Exit(code or (EXIT_FAILED if missed else 0))


def running_since(started: Iterable[Run], since: float) -> list[Run]:
    """Return the runs that had not ended by then, oldest first: what was imported last has to win again."""
    return [run for run in reversed(list(started)) if (run.ended or run.seen) >= since]


def why_not_repeatable(run: Run) -> str | None:
    """Return why a run cannot be imported again; None if it can."""
    if run.state == "cancelled":
        return "it was cancelled"
    if run.state == "running":
        return f"it has not ended; if it was interrupted, resume it with --run {run.id}"
    path = run.asked["path"]
    if path is None:
        return f"its rows came from {run.source}: import them again from there"
    if not Path(path).is_file():
        return f"{path} is no longer there"
    if (kind := KINDS.get(run.kind)) and kind.own_choice:
        return "people may have decided otherwise since; where it is still right, import it by hand"
    try:
        account(get_settings(), run.account).key()
    except SettingsError as error:
        return str(error)
    return None


def _chosen_table(runs: list[Run]) -> Listing:
    shown = listing(
        "run", "kind", "source", "rows>", "landed>", "not landed>", "remark",
        whole=("run", "kind"), below=("remark", "source"),
    )  # fmt: skip
    for run in runs:
        counts = (f"{count:,}" for count in (run.rows, run.landed, run.failed))
        shown.add_row(Text(run.id), run.kind, Text(run.source), *counts, Text(_remark(run), "yellow"))
    return shown


def _remark(run: Run) -> str:
    changed = Path(run.asked["path"]).stat().st_mtime
    return f"the file has changed since, {day_and_time(changed)}" if changed > run.started else ""


def _hindered_table(runs: list[Run], why: dict[str, str]) -> Listing:
    shown = listing("run", "kind", "source", "is not imported again, because", whole=("run", "kind"), below=("source",))
    for run in runs:
        shown.add_row(Text(run.id), run.kind, Text(run.source), Text(why[run.id], "yellow"))
    return shown


def _confirm(count: int, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise stop("There is nobody to ask: give --yes to import them.", EXIT_USAGE)
    what = "this file" if count == 1 else f"these {count} files"
    typer.confirm(f"Import {what} again?", abort=True, err=True)


def _imports(count: int) -> str:
    return "1 import was" if count == 1 else f"{count} imports were"


def _import(chosen: list[Run]) -> int:
    worst = 0
    for run in chosen:
        try:
            code = carry_out(repeat_import(run))
        except KlaviyoError as error:
            say(str(error), "red")
            code = EXIT_FAILED
        if code == EXIT_INTERRUPTED:
            return code
        worst = max(worst, code)
    return worst
