"""The plan of an import that was not given in full: shown, saved, and carried out once it is confirmed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import typer

from cli.imports.files import list_files
from cli.imports.options import WORDS, Own, checked_kind
from cli.imports.plan_file import Saved, write
from cli.imports.plan_view import plan_view
from cli.terminal.printing import EXIT_USAGE, say, stdout, stop
from tasks.imports import Import
from tasks.imports.amounts import DecimalMark
from tasks.imports.consents import consent_columns, kind_of
from tasks.imports.dates import DayOrder
from tasks.imports.exports import export_named, match_columns
from tasks.imports.options import Options
from tasks.imports.preview import Preview, make_preview
from tasks.imports.proposals import Proposal, propose
from tasks.imports.run import Rows
from tasks.imports.sources import STDIN, Format, open_rows
from worker.errors import InputError


def kind_and_files(given: list[str]) -> tuple[str | None, list[str]]:
    """Return the kind, if one was typed, and the files.

    Raises:
        InputError: the first word is neither a kind nor looks like a file, or there is no file.

    """
    first, *others = given
    if first in WORDS and others:
        return checked_kind(first), list(list_files(others))
    if others and first != STDIN and "." not in first and ":" not in first and not Path(first).exists():
        checked_kind(first)
    return None, list(list_files(given))


def rows_of(file: str, database_url: str | None) -> Rows:
    """Return the rows of a file, or of a query, which begins with ``sql:``.

    Raises:
        InputError, SourceError: it is not a query though a database is given, or the database cannot be reached.

    """
    if not file.startswith("sql:"):
        if database_url:
            raise InputError("import", ["--database-url goes with a query, 'sql:SELECT …'"])
        return file
    from schedules.push.source import query_of  # here, not above: SQLAlchemy is slow to start

    if not database_url:
        raise InputError("import", ["a query needs --database-url"])
    try:
        return query_of(file, database_url) or file
    except InputError as error:
        raise InputError("import", error.problems) from None


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """The options about the values of a file."""

    fixed: Sequence[str] = ()
    time_zone: str | None = None
    country: str | None = None
    dates: DayOrder | None = None
    decimals: DecimalMark | None = None
    export: str | None = None
    clear_empty: bool = False


def proposal(
    rows: Rows,
    format: Format | None,
    delimiter: str | None,
    encoding: str | None,
    saved: Saved,
    reading: ReadingOptions,
) -> Proposal:
    """Propose what to do with a file whose kind was not given.

    Raises:
        InputError, SourceError: it is standard input or cannot be read, or there is no such export.

    """
    if rows == STDIN:
        raise InputError("import", ["standard input can be read only once: say what kind its rows are"])
    source = open_rows(rows, format, delimiter, encoding)
    try:
        found = propose(source, saved.mapping, reading.export or saved.settings.get("as"), saved.settings.get("kind"))
    except ValueError as error:
        raise InputError("import", [str(error)]) from None
    return found


def has_variants(found: Proposal) -> bool:
    """Return True if a recognised export has variants besides its items."""
    return found.export is not None and export_named(found.export).catalog is not None


def complete_options(how: Options, saved: Saved, reading: ReadingOptions, found: Proposal | None) -> Options:
    """Complete the options by a saved plan and by what was detected; what was typed wins."""
    fixed = {**(found.fixed if found else {}), **saved.fixed, **how.fixed}
    mapping = found.mapping if found else how.mapping
    export = reading.export or saved.settings.get("as") or (found.export if found else None)
    return replace(
        how,
        mapping=mapping,
        fixed=fixed,
        export=export,
        clear_empty=reading.clear_empty,
        time_zone=reading.time_zone or saved.settings.get("time_zone"),
        country=reading.country or saved.settings.get("country"),
        dates=reading.dates or cast("DayOrder | None", saved.settings.get("dates")),
        decimals=reading.decimals or cast("DecimalMark | None", saved.settings.get("decimals")),
    )


def consent_imports(wanted: Import, own: Own, consented_at: str | None) -> Iterator[Import]:
    """Yield the imports of a file's consent, besides its profiles.

    First of those who said yes, then of those who said no, then of the addresses to suppress.

    Raises:
        InputError: its columns of consent are not known, or the time of consent was not given.
        SourceError: the file is not what it claims to be.

    """
    source, plan = wanted.open()
    known = export_named(plan.export) if plan.export and wanted.kind == "profiles" else None
    columns = consent_columns(match_columns(known, source.columns or ()), source.name) if known else {}
    kinds = set(map(kind_of, columns))
    if known is None or not kinds:
        raise InputError("import", ["--consent needs a known export with columns of consent"])
    lists = wanted.options.params.get("list_ids")
    at = {"list_id": lists[0]} if lists else {}
    how = replace(wanted.options, consent=True, clear_empty=False, export=plan.export, params=at, fixed={})
    if "subscribe" in kinds:
        if consented_at is None:
            when = "give the time of consent, --consented-at 2024-01-31T00:00:00Z"
            raise InputError("import", [f"--consent: {when}; without it, Klaviyo may ask everybody to confirm"])
        custom_source = own.custom_source or known.title
        params = {**at, "custom_source": custom_source, "historical_import": True}
        given = replace(how, params=params, fixed={"consented_at": consented_at})
        yield replace(wanted, kind="subscribe", options=given)
    if "unsubscribe" in kinds:
        yield replace(wanted, kind="unsubscribe", options=how)
    if "suppress" in kinds:
        yield replace(wanted, kind="suppress", options=replace(how, params={}))


def show_plan(wanted: Import, name: str, saved: Saved, save_map: Path | None, as_json: bool) -> Preview:
    """Show what an import would do, and save it if asked.

    Raises:
        InputError, SourceError: the import is refused, or the file for the plan exists.

    """
    source, plan = wanted.open()
    found = make_preview(source, plan)
    if not as_json:
        stdout().print(plan_view(found, name, bool(saved.settings), wanted.options.clear_empty))
        stdout().print()
    if save_map:
        write(save_map, found.kind, plan, wanted.options)
        say(f"The plan is in {save_map}: klaviyo import {name} --map {save_map} does the same.")
    return found


def _is_interactive() -> bool:
    """Return True if there is a terminal to ask at."""
    return sys.stdin.isatty()


def confirm(yes: bool) -> None:
    """Ask whether the plan is right, unless ``yes``; the answer no ends the command."""
    if yes:
        return
    if not _is_interactive():
        raise stop(
            "There is nobody to ask: give --yes to import it like this, or --dry-run to see the plan only.", EXIT_USAGE
        )
    typer.confirm("Import it like this?", abort=True, err=True)
