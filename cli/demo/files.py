"""The rows of a file that somebody gives to the demo, whatever its columns are called, and how their cells are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.imports.rows import wrong_width
from tasks.imports.sources import Unreadable, source_of

#: A row by column: names in lower case with ``_``. Cells that say nothing are left out.
Row = dict[str, str]

#: Numbers beyond this lose digits on their way through JSON.
_EXACT = 2**53
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,15})")


def rows(path: Path) -> Iterator[tuple[int, Row | str]]:
    """The rows of a CSV or of JSON Lines with their numbers; in place of one that cannot be read, what is wrong.

    Raises:
        SourceError: the file cannot be read, or is something else.

    """
    source = source_of(path)
    for batch in source.batches():
        for number, row in enumerate(batch.rows, batch.first):
            if isinstance(row, Unreadable):
                yield number, row.reason
            elif isinstance(row, Mapping):
                yield number, _named(row)
            elif len(row) != len(source.columns or ()):
                yield number, wrong_width(len(row), len(source.columns or ()))
            else:
                # From the last one: of columns with the same name the first counts.
                yield number, _named(dict(reversed([*zip(source.columns or (), row, strict=True)])))


def take(row: Row, names: tuple[str, ...]) -> str:
    """The value of the first of these columns that has one; the column is used up."""
    return next((value for name in names if (value := row.pop(name, ""))), "")


def number(text: str) -> int | float | None:
    """The number that a cell holds. One with leading zeros, or of too many digits, is a name."""
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < _EXACT and not re.match(r"[+-]?0\d", text) else None


def moment(text: str) -> datetime | None:
    """The time that a cell holds, in UTC if it names no zone. Shops put a blank before their offset."""
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
