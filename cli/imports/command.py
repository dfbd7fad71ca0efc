"""`klaviyo import`: a file of rows, sent in bulk, with a report of every row that did not land."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.imports.options import Kind, Own, check, kind_named, options, task_kind
from cli.imports.run import carry_out
from cli.imports.view import estimate_table, rejects_table
from cli.terminal import FAILED, print_json, say, stdout
from tasks.imports import Import, estimate
from tasks.imports.public import Mode
from tasks.imports.sources import Format
from worker.accounts import DEFAULT
from worker.governor import Lane


def import_rows(
    what: Annotated[str, typer.Argument(metavar="KIND", help=", ".join(get_args(Kind)))],
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="a CSV or JSON Lines file, gzipped or not; - is standard input")
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="E-Mail=email; Note= leaves one out; *=properties.*"),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="a field of rows that have none of their own"),
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="ID|NAME", help="profiles, (un)subscribe: the list they are for")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="events: what happened, where the rows do not say it")] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(metavar="MODE", help="catalogs: create, update, delete; else upsert: what is new or differs"),
    ] = None,
    coupon: Annotated[
        str | None, typer.Option(metavar="ID", help="coupon-codes: the coupon, where the rows do not say it")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(help="(un)subscribe: email, sms, whatsapp; repeat it")] = None,
    historical: Annotated[
        bool, typer.Option("--historical", help="subscribe: consent was given when the column consented_at says")
    ] = False,
    custom_source: Annotated[str | None, typer.Option(help="subscribe: where consent was given")] = None,
    account: Annotated[str, typer.Option(help="alias of the account")] = DEFAULT,
    lane: Annotated[Lane, typer.Option(help="bulk is served after everything in now")] = "bulk",
    format: Annotated[Format | None, typer.Option(help="where the file's name does not tell it")] = None,
    delimiter: Annotated[str | None, typer.Option(help="of a CSV, where its header does not tell it")] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="of times that have none: Europe/Berlin")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="for rows that do not land; else a file beside the source")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="take up again a run that was broken off, or name a new one")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read and check everything, and send nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the report or the estimate, for other programs")] = False,
) -> None:
    """Import rows, and tell what became of each: klaviyo import profiles customers.csv --list NEWS --map E-Mail=email.

    Exit code 0: all rows have landed. 1: some have not, and the reject file has them. 2: it was refused.

    --dry-run ends likewise: with 1 where rows would be turned down here.
    """
    kind = kind_named(what)
    own = Own(list_name, metric, mode, coupon, channel or (), historical, custom_source)
    check(kind, own)
    how = options(kind, own, mapping or (), fixed or (), time_zone, account)
    wanted = Import(task_kind(kind, mode), source, how, account, lane, format, delimiter)
    if not dry_run:
        raise typer.Exit(carry_out(wanted, run, rejects, as_json))
    found = estimate(wanted)
    if as_json:
        reasons = [{"reason": reason, "rows": count, "first": first} for reason, count, first in found.reasons]
        first_ones = [{"row": each.row, "reason": each.reason} for each in found.rejects]
        print_json({**asdict(found), "rejects": first_ones, "reasons": reasons})
    else:
        stdout().print(estimate_table(found))
        if found.rejects:
            stdout().print()
            stdout().print(rejects_table(found))
        say("Nothing was sent.", "bold")
    if found.checked:
        raise typer.Exit(FAILED)
