"""The rows of an Excel workbook, as the cells of a CSV.

Read by python-calamine, which takes a tenth of openpyxl's time, and reads `.xls` and `.ods` as well. It holds a whole
sheet in memory; a workbook has at most 1,048,576 rows.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path

from tasks.imports.headers import HEADER_ROWS, rows_above_header
from worker.errors import SourceError

#: A number with a point that could stand between groups of digits.
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")


def rows_of(path: Path, name: str, most: int) -> Generator[list[list[str]], None, None]:
    """Yield the header of the first sheet that has one, alone; then the rows, up to ``most`` at a time.

    Raises:
        SourceError: it is not a workbook, or an empty one.

    """
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = (workbook.get_sheet_by_index(number) for number in range(len(workbook.sheet_names)))
        sheet = next((each for each in sheets if each.height), None)
    except PasswordError:
        raise SourceError(name, "the workbook is protected by a password: save it without one") from None
    except (CalamineError, OSError) as error:
        reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) and error.strerror else None
        raise SourceError(name, reason or "this is not an Excel workbook, or a damaged one") from None
    if sheet is None:
        raise SourceError(name, "it is empty: the first row must name the columns")
    rows = filter(any, ([_text(cell) for cell in row] for row in sheet.iter_rows()))
    first = list(islice(rows, HEADER_ROWS))
    above = rows_above_header(first)
    yield [first[above]]
    yield from _grouped(chain(first[above + 1 :], rows), most)


def _grouped(rows: Iterator[list[str]], most: int) -> Iterator[list[list[str]]]:
    while block := list(islice(rows, most)):
        yield block


def _text(cell: int | float | str | bool | time | date | datetime | timedelta) -> str:
    """Return a cell as Excel would write it to a CSV, with ISO 8601 dates."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else _point(repr(cell))
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)


def _point(number: str) -> str:
    """Return a number so that its point is no thousands separator, as that of 9.375 is where decimals have a comma."""
    return f"{number}0" if _GROUPED.fullmatch(number) else number
