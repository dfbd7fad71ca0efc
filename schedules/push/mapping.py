"""How the rows of a push become records, worked out before the first row is read."""

from __future__ import annotations

from collections.abc import Sequence

from schedules.push.kinds import Push, PushKind
from schedules.push.source import open_source, query_of
from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.plan import Plan
from tasks.imports.sources import Source
from worker.errors import InputError


def open_and_map(wanted: Push, kind: PushKind) -> tuple[Source, Plan]:
    """Open the source of a push, and compile how its rows become records.

    Raises:
        InputError, SourceError: it cannot be read, lacks a column, or has one that no field takes.

    """
    source = open_source(wanted.rows, wanted.database_url)
    options = Options(
        tuple(wanted.mapping),
        wanted.fixed,
        time_zone=wanted.time_zone,
        country=wanted.country,
        dates=wanted.dates,
        decimals=wanted.decimals,
    )
    say = f"KLAVIYO_PUSHES__{wanted.name.upper().replace('-', '_')}__MAP=" if wanted.name else "mapping="
    source, plan = interpret(source, kind.rows.name, options, say)
    if query := query_of(wanted.rows, wanted.database_url):
        _refuse_columns(query.columns(), plan, say)
    return source, plan


def _refuse_columns(columns: Sequence[str], plan: Plan, say: str) -> None:
    """Refuse a query of which every row would be rejected for the same reason."""
    there, problems = set(plan.fixed), []
    for name in columns:
        if name in plan.mapped.groups or name == plan.kind.group:
            return  # a column of JSON: only its rows show what is in it
        try:
            field = plan.mapped.field(name)
        except ValueError as error:
            problems.append(str(error))
        else:
            there |= {field.name} if field else set()
    identifiers = plan.kind.identifiers
    missing = [name for name in plan.kind.required if name not in there]
    if there.isdisjoint(identifiers):
        missing = [" or ".join(identifiers), *(name for name in missing if name not in identifiers)]
    if missing:
        names, example = ", ".join(missing), missing[0].partition(" or ")[0]
        problems = [
            f"the query has no column for {names}, which Klaviyo needs for every row: name it in the query, "
            f"`… AS {example}`, or map it with {say}'column={example}'"
        ]
    if problems:
        raise InputError("push", problems)
