"""What an import would do with a file, by its first rows: shown to somebody before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from tasks.imports.block import Block
from tasks.imports.cells import tidy_cells
from tasks.imports.checks import COUNTRIES, normalise_contacts
from tasks.imports.exports import exports
from tasks.imports.fields import TEXTS, Field
from tasks.imports.interpretation import SAMPLE_ROWS
from tasks.imports.orders import ITEMS
from tasks.imports.parts import split_into_parts
from tasks.imports.plan import Plan
from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected
from tasks.imports.seen_keys import SeenKeys
from tasks.imports.sources import Batch, Source, Unreadable, count_reject_columns
from tasks.imports.values import are_numbers
from tasks.imports.withheld import WITHHELD, is_secret

#: How many values of each column are shown, and how many characters of each.
SHOWN_VALUES, SHOWN_CHARACTERS = 3, 40
#: Rows are counted in files of up to this many bytes; for larger ones the number is estimated.
COUNTED_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its field, how its values are read, and some of them, each as it is and as it is sent."""

    name: str
    field: str
    format: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do.

    title: the export that the file was recognised as. metric: of its events, if all have the same. order: the column by
    which rows are grouped into orders. rows: how many there are; an estimate if ``about``. reasons: why some of the
    first ``sampled`` rows would be rejected, with how many of them.
    """

    kind: str
    title: str | None
    metric: str | None
    order: str | None
    encoding: str | None
    delimiter: str | None
    columns: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...]
    rows: int
    about: bool
    sampled: int
    reasons: tuple[tuple[str, int], ...]


def make_preview(source: Source, plan: Plan) -> Preview:
    """Preview the first rows; of a large file, no more are read.

    Raises:
        SourceError: the source is not what it claims to be.

    """
    rows, counted, about = _sample(source)
    sample = replace(source, batches=lambda: iter([Batch(1, rows)]))
    turned_down = [each.reason for each in split_into_parts(sample, plan) if isinstance(each, Rejected)]
    names = source.columns or tuple(dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row))
    known = exports()[plan.export] if plan.export else None
    columns, left_out = [], dict(plan.left_out)
    for place, name in enumerate(names):
        if place < count_reject_columns(names):
            continue
        field = _field(plan, place, name)
        if field is None:
            left_out.setdefault(name, WITHHELD if is_secret(name) else "the mapping says so")
        else:
            columns.append(Column(name, field.name, _format(field), tuple(_values(rows, place, name, field, plan))))
    return Preview(
        kind=plan.kind.exported,
        title=known.title if known else None,
        metric=plan.fixed.get("metric"),
        order=known.order if known and ITEMS in names else None,
        encoding=source.dialect.encoding.removesuffix("-sig") if source.dialect else None,
        delimiter=source.dialect.delimiter if source.dialect else None,
        columns=tuple(columns),
        left_out=tuple((name, left_out[name]) for name in names if name in left_out),
        rows=counted,
        about=about,
        sampled=len(rows),
        reasons=tuple(Reasons(turned_down).most_frequent()),
    )


def _sample(source: Source) -> tuple[list[Any], int, bool]:
    """Return the first rows, the number of all rows, and whether that number is an estimate."""
    rows: list[Any] = []
    counted = 0
    for batch in source.batches():
        counted += len(batch.rows)
        rows += islice(batch.rows, SAMPLE_ROWS - len(rows))
        if len(rows) >= SAMPLE_ROWS and source.meter.size > COUNTED_BYTES and source.meter.read:
            return rows, counted * source.meter.size // source.meter.read, True
    return rows, counted, False


def _field(plan: Plan, place: int, name: str) -> Field | None:
    if plan.header is not None:
        return plan.columns.get(place)
    try:
        return plan.mapped.field(name)
    except ValueError:
        return None


def _format(field: Field) -> str:
    """Describe how values are read."""
    words = {"phone": "phone number", "email": "address", "time": "date or time", "day": "date"}
    style = field.style.replace("-", " ") if field.style != "tags" else ""
    return ", ".join(filter(None, (words.get(field.form, field.form), style)))


def _values(rows: Sequence[Any], place: int, name: str, field: Field, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the first different values of a column, each as it is and as it is sent."""
    cells = ((row.get(name) if isinstance(row, Mapping) else _cell(row, place), row) for row in rows)
    shown: set[str] = set()
    for cell, row in cells:
        if cell is None or cell == "" or isinstance(row, Unreadable) or str(cell) in shown:
            continue
        shown.add(str(cell))
        yield _short(str(cell)), _short(_sent(cell, row, field, plan))
        if len(shown) == SHOWN_VALUES:
            return


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if len(row) > place else ""


def _sent(cell: Any, row: Any, field: Field, plan: Plan) -> str:
    """Return a value as it is sent; empty if it is rejected."""
    country = next((at for at, each in plan.columns.items() if each.name in COUNTRIES), None)
    text = tidy_cells([cell])[0] if isinstance(cell, str) else cell
    if field.form == "number" and isinstance(text, str) and are_numbers([text], field.style):
        return text
    convert = plan.convert(field)
    try:
        converted = convert(text) if convert and text != "" else text
    except ValueError:
        return ""
    columns = {field.name: [str(converted)]}
    if country is not None and not isinstance(row, Mapping):
        columns.setdefault(plan.columns[country].name, [_cell(row, country)])
    block = Block([1], columns, plan.fields | {field.name: field}, plan.options, SeenKeys())  # type: ignore[operator, arg-type]
    normalise_contacts(block)
    sent = "" if block.rejected else block.columns[field.name][0]
    return sent if field.form in TEXTS or not sent.startswith('"') else str(orjson.loads(sent))


def _short(text: str) -> str:
    """Return a value on one line, shortened, with escapes for what cannot be seen or acts on a terminal."""
    line = " ".join(text.split())
    line = line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
