"""How the plan of an import is shown before it is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.terminal.tables import facts, listing

if TYPE_CHECKING:
    from tasks.imports.preview import Column, Preview

_KEPT = "change nothing at Klaviyo; nor does NULL or \\N. --clear-empty unsets properties"
_CLEARED = "unset the property, as do NULL and \\N; a person's other fields stay as they are"
_PEOPLE = {"subscribe": "people who are subscribed", "unsubscribe": "people who are unsubscribed"}
_DELIMITERS = {"\t": "tab"}


def plan_view(found: Preview, name: str, by_plan: bool = False, clear_empty: bool = False) -> Group:
    """What the file is, what becomes of each column, what is left out, and what would be turned down.

    ``by_plan``: all this was not detected but read from a saved plan.
    """
    guessed = "as --map says" if by_plan else "no known export: the fields below are a guess"
    known = f"{found.title}, by its header" if found.title else guessed
    what = f"{found.kind} {found.metric!r}" if found.metric else _PEOPLE.get(found.kind, found.kind)
    rows = f"about {found.rows:,}" if found.about else f"{found.rows:,}"
    one = f", one for all rows with the same {found.order!r}" if found.order else ""
    delimiter = found.delimiter and _DELIMITERS.get(found.delimiter, found.delimiter)
    blocks: list[Any] = [
        facts(
            ("file", name),
            ("known as", known),
            ("becomes", f"{what}: {rows}{one}"),
            ("written in", f"{found.encoding}, cells divided by {delimiter}" if found.encoding else None),
            ("empty cells", _CLEARED if clear_empty else _KEPT),
        ),
        Text(),
        _columns(found.columns),
    ]
    if found.left_out:
        out = listing("left out", "because", whole=("left out",))
        for column, why in found.left_out:
            out.add_row(column, why)
        blocks += [Text(), out]
    if found.reasons:
        bad = listing("rows>", f"of the first {found.sampled:,} would be turned down because")
        for reason, count in found.reasons:
            bad.add_row(f"{count:,}", Text(reason, "red"))
        blocks += [Text(), bad]
    return Group(*blocks)


def _columns(columns: tuple[Column, ...]) -> Any:
    table = listing("column", "field", "read as", "values", whole=("column", "field"), below=("values",))
    for each in columns:
        shown = (cell if cell == sent else f"{cell} → {sent or 'turned down'}" for cell, sent in each.values)
        table.add_row(each.name, each.field, each.format, "; ".join(shown) or "-")
    return table
