"""The header of a table: which row it is, and the names of its columns, made unique."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.imports.column_names import all_names, plain_words

#: Invisible characters, stripped from the ends of a name.
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\x00"

#: The header is among so many rows.
HEADER_ROWS = 10
#: A row below the first is the header if it has this many of the usual names of columns; one will do for a row of
#: several cells below a single one, which is a title.
MIN_NAMES, MIN_CELLS = 2, 3


def name_columns(header: Sequence[str], added: int = 0) -> tuple[str, ...]:
    """Return unique names of columns: a repeated one gets its place, ``email (3)``; an empty one is ``column 4``.

    Places count from 1 in the original file: after the ``added`` columns of a reject file.
    """
    taken: set[str] = set()
    names = []
    for place, cell in enumerate(header, 1 - added):
        name = cell.strip().strip(INVISIBLE).strip() or f"column {place}"
        while name in taken:  # as another one may be called already
            name = f"{name} ({place})"
        taken.add(name)
        names.append(name)
    return tuple(names)


def rows_above_header(rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the first rows stand above the header: a report's title, or names of groups of columns."""
    if not rows or not is_sparse(rows[0]):
        return 0
    cells, names = len(_filled(rows[0])), _count_names(rows[0])
    for place, row in enumerate(rows):
        is_below_title = cells == 1 and len(_filled(row)) >= MIN_CELLS
        fewest = max(1 if is_below_title else MIN_NAMES, names + 1)
        if _count_names(row) >= fewest and len(_filled(row)) > cells:
            return place
    return 0


def is_sparse(row: Sequence[str]) -> bool:
    """Return True if a row has a single cell at most, or leaves at least half of its cells empty."""
    return len(_filled(row)) <= max(1, len(row) // 2)


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell.strip()]


def _count_names(row: Sequence[str]) -> int:
    return sum(plain_words(cell) in all_names() for cell in _filled(row))
