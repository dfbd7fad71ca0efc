"""`klaviyo import`: a file of rows, sent in bulk, with a report of every row that did not land."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.imports.options import WORDS, Own, check, checked_kind, options, task_kind
from cli.imports.plan import (
    ReadingOptions,
    complete_options,
    confirm,
    consent_imports,
    has_variants,
    kind_and_files,
    proposal,
    rows_of,
    show_plan,
)
from cli.imports.plan_file import read
from cli.imports.run import carry_out
from cli.imports.view import estimate_table, rejects_table
from cli.terminal.printing import EXIT_FAILED, print_json, say, stdout
from tasks.imports import Import, estimate
from tasks.imports.amounts import DecimalMark
from tasks.imports.dates import DayOrder
from tasks.imports.preview import Preview
from tasks.imports.public import Mode
from tasks.imports.sources import STDIN, Format
from worker.accounts.lookup import DEFAULT
from worker.errors import InputError
from worker.governor import Lane


def import_rows(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="[KIND] SOURCE…",
            help=f"{', '.join(WORDS)}, or nothing: recognised by the file. "
            "Files: CSV, JSON Lines, Excel, Parquet, packed or not; a folder is all of its files; - is standard input; "
            "sql:SELECT … is a query",
        ),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=FIELD",
            help="E-Mail=email; Note= leaves one out; *=properties.*; or a plan that --save-map wrote",
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="a field for rows that lack it"),
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="ID|NAME", help="profiles, (un)subscribe: the list they are for")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="events: what happened, where the rows do not say; for orders 'Ordered Product'"),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(metavar="MODE", help="catalogs: create, update, delete; else upsert: what is new or differs"),
    ] = None,
    coupon: Annotated[
        str | None, typer.Option(metavar="ID", help="coupon-codes: the coupon, where the rows name none")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(help="(un)subscribe: email, sms, whatsapp; repeat it")] = None,
    historical: Annotated[
        bool, typer.Option("--historical", help="subscribe: consent was given when the column consented_at says")
    ] = False,
    custom_source: Annotated[str | None, typer.Option(help="subscribe: where consent was given")] = None,
    consent: Annotated[
        bool,
        typer.Option(
            "--consent", help="of a known export: also (un)subscribe those who say yes or no, and suppress bounces"
        ),
    ] = False,
    consented_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="--consent: when it was given: 2024-01-31T00:00:00Z")
    ] = None,
    account: Annotated[str, typer.Option(help="alias of the account")] = DEFAULT,
    lane: Annotated[Lane, typer.Option(help="bulk is served after everything in now")] = "bulk",
    format: Annotated[Format | None, typer.Option(help="if the file's name does not show it")] = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="of a source that is a query: 'sql:SELECT …'")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="of a CSV, if its header does not show it")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="of a CSV, if its bytes do not show it: cp1252, latin-1, utf-16")
    ] = None,
    export: Annotated[
        str | None, typer.Option("--as", metavar="EXPORT", help="what the file is: shopify-customers; none: no export")
    ] = None,
    country: Annotated[str | None, typer.Option(help="of phone numbers without a country code: SE, Germany")] = None,
    dates: Annotated[
        DayOrder | None, typer.Option(metavar="ORDER", help="day-first or month-first, if the dates do not show it")
    ] = None,
    decimals: Annotated[
        DecimalMark | None,
        typer.Option(metavar="MARK", help="decimal-comma or decimal-point, if the numbers do not show it"),
    ] = None,
    clear_empty: Annotated[
        bool, typer.Option("--clear-empty", help="profiles: an empty cell unsets the property, else it changes nothing")
    ] = False,
    time_zone: Annotated[str | None, typer.Option(metavar="ZONE", help="of times without one: Europe/Berlin")] = None,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="for rows that do not land; else a file beside the source")
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="ID", help="resume an interrupted run, or name a new one")] = None,
    save_map: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="save the plan, for --map")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read and check everything, and send nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the report or the estimate, for other programs")] = False,
) -> None:
    """Import rows, and report what became of each: klaviyo import customers.csv.

    Without a KIND, the file is recognised by its header, or guessed at; its plan is shown, and nothing is sent before
    you say yes. A file of products is imported as items, then as variants. With a KIND, columns are mapped by their
    names and by --map.

    Exit code 0: all rows have landed. 1: some have not, and the reject file has them. 2: it was refused.

    --dry-run ends the same way: with 1 if rows would be rejected before anything is sent.
    """
    saved = read(mapping or ())
    named, files = kind_and_files(given)
    if (len(files) > 1 or consent) and (run or rejects):
        raise InputError("import", ["this is more than one import: --run and --rejects are for one"])
    if len(files) > 1 and (save_map or STDIN in files):
        raise InputError("import", ["several files are an import each: --save-map is for one"])
    if consented_at and not consent:
        raise InputError("import", ["--consented-at goes with --consent"])
    if consent and named not in (None, "profiles"):
        raise InputError("import", ["--consent goes with an import of profiles"])
    own = Own(list_name, metric, mode, coupon, channel or (), historical, custom_source)
    reading = ReadingOptions(fixed or (), time_zone, country, dates, decimals, export, clear_empty)
    code = 0
    for file in files:
        rows = rows_of(file, database_url)
        found = None if named else proposal(rows, format, delimiter, encoding, saved, reading)
        kind = named or checked_kind(found.kind if found else "")
        check(kind, own)
        how = complete_options(options(kind, own, saved.mapping, reading.fixed, None, account), saved, reading, found)
        wanted = Import(task_kind(kind, mode), rows, how, account, lane, format, delimiter, encoding)
        imports = [wanted, *(consent_imports(wanted, own, consented_at) if consent else ())]
        if found and has_variants(found):
            imports.append(replace(wanted, kind=task_kind("variants", mode)))
        for each in imports:
            shows = found or save_map or consent
            shown = show_plan(each, file, saved, save_map if each is wanted else None, as_json) if shows else None
            if dry_run:
                code = max(code, _checked(each, shown if found else None, as_json))
            elif shown is None or (not found and not consent):
                code = max(code, carry_out(each, run, rejects, as_json))
            elif shown.rows or each is wanted:
                confirm(yes)
                code = max(code, carry_out(each, run, rejects, as_json))
    raise typer.Exit(code)


def _checked(wanted: Import, shown: Preview | None, as_json: bool) -> int:
    """Say what would be sent. Of a file that is too large to be counted, only a part was read, and that has to do."""
    if shown and shown.about:
        if as_json:
            print_json(asdict(shown))
        say(f"Nothing was sent, and only the first {shown.sampled:,} rows were read.", "bold")
        return EXIT_FAILED if shown.reasons else 0
    found = estimate(wanted)
    if as_json:
        reasons = [{"reason": reason, "rows": count, "first": first} for reason, count, first in found.reasons]
        first_ones = [{"row": each.row, "reason": each.reason} for each in found.rejects]
        plan = {"plan": asdict(shown)} if shown else {}
        print_json({**asdict(found), "rejects": first_ones, "reasons": reasons, **plan})
    else:
        stdout().print(estimate_table(found))
        if found.rejects:
            stdout().print()
            stdout().print(rejects_table(found))
        say("Nothing was sent.", "bold")
    return EXIT_FAILED if found.checked else 0
