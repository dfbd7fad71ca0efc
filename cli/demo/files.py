"""Reading the rows of a file that the demo is given, whatever its columns are called."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.imports.rows import wrong_width
from tasks.imports.sources import Unreadable, open_rows

#: A row by column: names in lower case with ``_``. Empty cells are left out.
Row = dict[str, str]

#: Integers beyond this lose digits on their way through JSON.
_EXACT = 2**53
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,15})")


def rows(path: Path) -> Iterator[tuple[int, Row | str]]:
    """Yield the rows of a CSV or JSON Lines file with their numbers; for an unreadable row, what is wrong with it.

    Raises:
        SourceError: the file cannot be read, or is neither.

    """
    source = open_rows(path)
    for batch in source.batches():
        for number, row in enumerate(batch.rows, batch.first):
            if isinstance(row, Unreadable):
                yield number, row.reason
            elif isinstance(row, Mapping):
                yield number, _named(row)
            elif len(row) != len(source.columns or ()):
                yield number, wrong_width(len(row), len(source.columns or ()))
            else:
                # Reversed, so that of columns with the same name the first counts.
                yield number, _named(dict(reversed([*zip(source.columns or (), row, strict=True)])))


def take(row: Row, names: tuple[str, ...]) -> str:
    """Remove the first of these columns that has a value, and return the value; empty if none has."""
    return next((value for name in names if (value := row.pop(name, ""))), "")


def number(text: str) -> int | float | None:
    """Return the number in a cell. One with leading zeros or too many digits is taken for a name: None."""
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < _EXACT and not re.match(r"[+-]?0\d", text) else None


def moment(text: str) -> datetime | None:
    """Return the time in a cell, in UTC if it has no offset. Shops put a space before the offset."""
    try:
        time = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _named(row: Mapping[Any, Any]) -> Row:
    found = {_column(str(name)): str(value).strip() for name, value in row.items() if value is not None}
    return {name: value for name, value in found.items() if name and value}


def _column(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
