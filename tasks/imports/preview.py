"""What an import would do with a file, told from its first rows: for somebody to look at before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from tasks.imports.block import Block
from tasks.imports.cells import tidied
from tasks.imports.checks import COUNTRIES, well_formed
from tasks.imports.exports import exports
from tasks.imports.fields import TEXTS, Field
from tasks.imports.orders import ITEMS
from tasks.imports.parts import parts
from tasks.imports.plan import Plan
from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected
from tasks.imports.seen import Seen
from tasks.imports.sources import Batch, Source, Unreadable, added_columns
from tasks.imports.understanding import SAMPLE
from tasks.imports.values import are_numbers
from tasks.imports.withheld import WITHHELD, is_secret

#: Values of each column that are shown, and characters of each.
SHOWN, LONGEST = 3, 40
#: Bytes up to which rows are counted; how many a larger file has is told by its first ones.
COUNTED = 20_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field that it leads to, how its values are read, and some of them, as they stand and as sent."""

    name: str
    field: str
    format: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do.

    title: the export that the file was recognised as. metric: of its events, where all have the same. order: the column
    by which rows are put together. rows: how many there are, ``about`` as many where they were not
    counted. reasons: why some of the first ``sampled`` rows would be turned down, with how many of them.
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


def preview(source: Source, plan: Plan) -> Preview:
    """Look at the first rows, and at no more of a large file.

    Raises:
        SourceError: the source is not what it claims to be.

    """
    rows, counted, about = _sample(source)
    sample = replace(source, batches=lambda: iter([Batch(1, rows)]))
    turned_down = [each.reason for each in parts(sample, plan) if isinstance(each, Rejected)]
    names = source.columns or tuple(dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row))
    known = exports()[plan.export] if plan.export else None
    columns, left_out = [], dict(plan.left_out)
    for place, name in enumerate(names):
        if place < added_columns(names):
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
    """The first rows, how many there are in all, and whether that is only about so many."""
    rows: list[Any] = []
    counted = 0
    for batch in source.batches():
        counted += len(batch.rows)
        rows += islice(batch.rows, SAMPLE - len(rows))
        if len(rows) >= SAMPLE and source.meter.size > COUNTED and source.meter.read:
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
    """How values are read, in words."""
    words = {"phone": "phone number", "email": "address", "time": "date or time", "day": "date"}
    style = field.style.replace("-", " ") if field.style != "tags" else ""
    return ", ".join(filter(None, (words.get(field.form, field.form), style)))


def _values(rows: Sequence[Any], place: int, name: str, field: Field, plan: Plan) -> Iterator[tuple[str, str]]:
    """The first different values of a column that can be read, each as it stands there and as it is sent."""
    cells = ((row.get(name) if isinstance(row, Mapping) else _cell(row, place), row) for row in rows)
    shown: set[str] = set()
    for cell, row in cells:
        if cell is None or cell == "" or isinstance(row, Unreadable) or str(cell) in shown:
            continue
        shown.add(str(cell))
        yield _short(str(cell)), _short(_sent(cell, row, field, plan))
        if len(shown) == SHOWN:
            return


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if len(row) > place else ""


def _sent(cell: Any, row: Any, field: Field, plan: Plan) -> str:
    """A value as it is sent; nothing where it is turned down."""
    country = next((at for at, each in plan.columns.items() if each.name in COUNTRIES), None)
    text = tidied([cell])[0] if isinstance(cell, str) else cell
    if field.form == "number" and isinstance(text, str) and are_numbers([text], field.style):
        return text
    convert = plan.convert(field)
    try:
        told = convert(text) if convert and text != "" else text
    except ValueError:
        return ""
    columns = {field.name: [str(told)]}
    if country is not None and not isinstance(row, Mapping):
        columns.setdefault(plan.columns[country].name, [_cell(row, country)])
    block = Block([1], columns, plan.fields | {field.name: field}, plan.options, Seen())  # type: ignore[operator, arg-type]
    well_formed(block)
    sent = "" if block.rejected else block.columns[field.name][0]
    return sent if field.form in TEXTS or not sent.startswith('"') else str(orjson.loads(sent))


def _short(text: str) -> str:
    """A value in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
