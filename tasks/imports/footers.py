"""Lines that reports add below their tables, such as totals and copyrights. They are not rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

#: A table with fewer columns may well have rows of a single cell.
MIN_COLUMNS = 3

_FOOTER = re.compile(
    r"\s*(copyright\b|©|\(c\)|confidential\b|generated (by|on|at)\b|exported (by|on|from)\b|report generated\b"
    r"|end of (file|report)\b|(grand )?totals?:?\s*[\d.,]*\s*$|total (rows|records|customers)\b"
    r"|[\d.,]+ (rows|records|contacts|customers|results)\b).*|.*all rights reserved.*",
    re.IGNORECASE | re.DOTALL,
)


def drop_footers(rows: list[list[str]], width: int) -> list[list[str]]:
    """Drop footers: runs of single-cell lines of which one is a footer, and rows that a spreadsheet made of footers."""
    if width < MIN_COLUMNS or not any(map(_may_be_footer, rows)):
        return rows
    kept: list[list[str]] = []
    for single, group in groupby(rows, _is_single):
        lines = list(group)
        if not (single and any(map(_is_footer, lines))):
            kept += (line for line in lines if not (_may_be_footer(line) and _is_footer(line)))
    return kept


def _is_footer(row: Sequence[str]) -> bool:
    return _FOOTER.fullmatch(row[0]) is not None


def _is_single(row: Sequence[str]) -> bool:
    return len(row) == 1


def _may_be_footer(row: Sequence[str]) -> bool:
    return len(row) == 1 or not (row[1] or any(row[1:]))  # mostly, one look is enough
