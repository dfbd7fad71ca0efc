"""The two tables that commands print: names with their values, and columns under a header."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

#: Reasons that are told one by one.
REASONS = 3


def facts(*rows: tuple[str, str | Text | None]) -> Table:
    """Names and values; those without a value are left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(name, Text(value) if isinstance(value, str) else value)
    return table


def listing(*columns: str, whole: Collection[str] = ()) -> Table:
    """A table with these columns. Numbers stand under a name that ends in ``>``; an empty name is no column.

    Cells of ``whole`` columns are not broken: what somebody may want to copy.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in filter(None, columns):
        number = name.endswith(">")
        justify: JustifyMethod = "right" if number else "left"
        table.add_column(name.rstrip(">"), justify=justify, no_wrap=number or name in whole, overflow="fold")
    return table


def most_frequent(reasons: Iterable[tuple[str, int]]) -> str:
    """``email: is missing (12); …``: the reasons that are given most often."""
    told = [f"{reason} ({count:,})" for reason, count in reasons]
    more = f"; and {len(told) - REASONS:,} other reasons" if len(told) > REASONS else ""
    return "; ".join(told[:REASONS]) + more
