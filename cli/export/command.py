"""`klaviyo export`: a view of the store as a file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from cli.choosing_accounts import choose_accounts
from cli.export.formats import FORMATS, Format, Write
from cli.export.new_file import new_file
from cli.store import require_store
from cli.terminal.printing import EXIT_USAGE, say, stop, working
from schedules.store.connection import reading
from schedules.store.views import VIEWS, View, read_view

#: Stands for standard output.
STDOUT = "-"


def export(
    name: Annotated[str, typer.Argument(metavar="VIEW", help=f"one of {', '.join(VIEWS)}")],
    target: Annotated[str, typer.Argument(metavar="FILE", help=".csv, .jsonl or .parquet; - prints CSV")],
    account: Annotated[str | None, typer.Option(help="alias of one account; all accounts if left out")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file of this name")] = False,
) -> None:
    """Export a view of the store to a new file: consent, suppressions, memberships, profiles, counts of events."""
    view, write_format = _view(name), _format(target)
    accounts = choose_accounts(account)
    with require_store(), _open(target, force) as file, write_format(file, [*view.table.columns]) as write:
        counts = _copy(view, accounts, write)
    say(_describe(view, target, counts))
    if not sum(counts.values()):
        say(f"It shows what `klaviyo sync {' '.join(view.streams)}` has read.", "dim")


def _view(name: str) -> View:
    if found := VIEWS.get(name):
        return found
    near = difflib.get_close_matches(name, VIEWS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"The views are {', '.join(VIEWS)}."
    raise stop(f"There is no view {name!r}. {hint}", EXIT_USAGE)


def _format(target: str) -> Format:
    if target == STDOUT:
        return FORMATS[".csv"]
    if found := FORMATS.get(Path(target).suffix.lower()):
        return found
    raise stop(f"{target}: name a file that ends in {', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]}.", EXIT_USAGE)


@contextmanager
def _open(target: str, force: bool) -> Iterator[IO[bytes]]:
    if target == STDOUT:
        yield typer.get_binary_stream("stdout")
    else:
        with new_file(Path(target), force=force) as file:
            yield file


def _copy(view: View, accounts: Sequence[str], write: Write) -> dict[str, int]:
    """Write the rows of the accounts, one after the other, and return how many each has."""
    counts = dict.fromkeys(accounts, 0)
    with reading() as connection, working("Reading …") as show:
        for alias in accounts:
            for rows in read_view(connection, view, alias):
                write(rows)
                counts[alias] += len(rows)
                show(f"{sum(counts.values()):,} rows")
    return counts


def _describe(view: View, target: str, counts: dict[str, int]) -> str:
    total = sum(counts.values())
    where = "" if target == STDOUT else f" to {target}"
    each = ", ".join(f"{count:,} of {alias}" for alias, count in counts.items())
    return f"Wrote {total:,} {'row' if total == 1 else 'rows'} of {view.table.name}{where}: {each}."
