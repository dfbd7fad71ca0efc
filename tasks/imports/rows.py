"""From a batch of rows to items: map, check, write, and tell apart what came before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from tasks.imports.block import Block, Values
from tasks.imports.cells import tidied
from tasks.imports.checks import complete, identified, well_formed
from tasks.imports.dates import moments
from tasks.imports.fields import TEXTS, Field
from tasks.imports.grid import Grid
from tasks.imports.kinds import UNSET
from tasks.imports.orders import Order
from tasks.imports.plan import Plan
from tasks.imports.repeats import lost_before, stage_of
from tasks.imports.seen import Seen
from tasks.imports.sources import Batch, Unreadable
from tasks.imports.values import Convert, are_numbers, dumped, mapping


@dataclass(frozen=True, slots=True)
class Judged:
    """The items of a batch, each in a line, with the numbers of their rows, and why the other rows are none.

    The items are not cut apart: most go into a request as they are. ``repeated`` are the stages of those rejected rows
    that have lost to another of the same key.
    """

    lines: bytes
    rows: Sequence[int]
    rejected: Mapping[int, str]
    repeated: Mapping[int, str]


def judge(batch: Batch, plan: Plan, seen: Seen) -> Judged:
    """Make items of the rows that are good; ``seen`` knows those of earlier batches."""
    block = Block(range(batch.first, batch.first + len(batch.rows)), {}, plan.fields, plan.options, seen)
    if plan.header is None:
        _read_records(cast(Sequence[Mapping[str, Any] | Unreadable], batch.rows), plan, block)
    else:
        _read_cells(cast(Sequence[Sequence[str]] | Grid, batch.rows), plan, plan.header, block)
    for name, text in plan.fixed.items():
        block.columns[name] = [own or text for own in block.column(name)]
    if plan.options.clear_empty:
        _clear_empty(block)
    well_formed(block)
    identified(block, plan.kind.identifiers)
    complete(block, plan.kind.required)
    block.settle()
    for rule in plan.kind.rules:
        rule(block)
        block.settle()
    if not block.numbers:
        return Judged(b"", [], block.rejected, {})
    filled = {name: values for name, values in block.columns.items() if any(values)}
    lines = plan.layout(list(filled)).lines(filled, len(block.numbers))
    lines = _fitting(lines, plan.kind.most_item_bytes, block)
    lines, repeated = _new(lines, plan.kind.key, block, lost_before(batch, plan.header))
    return Judged(lines, block.numbers, block.rejected, repeated)


def _read_cells(rows: Sequence[Sequence[str]] | Grid, plan: Plan, header: Sequence[str], block: Block) -> None:
    """Columns of a CSV."""
    column = rows.column if isinstance(rows, Grid) else _columns(rows, len(header), block).__getitem__
    tidy = isinstance(rows, Grid) and rows.tidy
    for place, field in plan.columns.items():
        values, convert = column(place), plan.convert(field)
        if not tidy:
            values = tidied(values)
        if convert is None or (field.form == "number" and not field.choices and are_numbers(values, field.style)):
            block.columns[field.name] = values
        elif field.form == "time" and (read := moments(values)) is not None:
            block.columns[field.name] = [each and f'"{each}"' for each in read]
        else:
            block.columns[field.name] = _read(values, convert, field, block)


def _columns(rows: Sequence[Sequence[str]], width: int, block: Block) -> list[Values]:
    """The columns of rows, some of which may not be as wide as the header.

    Many programs leave the empty cells at the end of a row away, or write some too many. What stands in a cell beyond
    the header has no name: such a row is turned down.
    """
    if rows and isinstance(rows[0], Order):
        for place, row in enumerate(rows):
            if isinstance(row, Order) and row.problem:
                block.reject(place, row.problem)
    if set(map(len, rows)) - {width}:
        for place, row in enumerate(rows):
            if any(row[width:]):
                block.reject(place, wrong_width(len(row), width))
        rows = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    return list(zip(*rows, strict=True)) or [()] * width


def wrong_width(cells: int, width: int) -> str:
    """What is said of a row that is not as wide as the header: of those with more cells apart from those with fewer."""
    counts = f"{cells}, and the header has {width}"
    if cells > width:
        return f"there are more cells than columns: {counts}; put a cell that holds a delimiter in quotes"
    return f"there are fewer cells than columns: {counts}"


def _read(values: Values, convert: Convert, field: Field, block: Block) -> Values:
    """The texts of a column's values; of the blank ones there are none. Columns repeat themselves, reading is slow."""
    read, problems = {"": ""}, {}
    for value in set(values):
        try:
            read[value] = convert(value) if value.strip() else ""
        except ValueError as error:
            read[value], problems[value] = "", f"{field.name}: {error}"
    if problems:
        for place, value in enumerate(values):
            if value in problems:
                block.reject(place, problems[value])
    return [read[value] for value in values]


def _clear_empty(block: Block) -> None:
    """Have the properties unset whose cells are empty; Klaviyo has no such way for a person's other fields."""
    columns = {field.keys[1]: name for name in block.columns if (field := block.fields[name]).keys[0] == "properties"}
    block.columns[UNSET] = [
        dumped(empty) if (empty := [key for key, text in zip(columns, row, strict=True) if not text]) else ""
        for row in block.rows(list(columns.values()))
    ]


def _read_records(records: Sequence[Mapping[str, Any] | Unreadable], plan: Plan, block: Block) -> None:
    """Columns of what is in some records."""
    for place, record in enumerate(records):
        try:
            texts = _texts(record, plan)
        except ValueError as error:
            block.reject(place, str(error))
            continue
        for name, text in texts.items():
            if name not in block.columns:
                block.columns[name] = [""] * len(records)
            cast(list[str], block.columns[name])[place] = text


def _texts(record: Mapping[str, Any] | Unreadable, plan: Plan) -> dict[str, str]:
    """The texts of a record's fields. What lies in an open field, such as ``properties``, is put together."""
    if isinstance(record, Unreadable):
        raise ValueError(record.reason)
    texts: dict[str, str] = {}
    opened: dict[str, dict[str, Any]] = {}
    for name, value in _named(plan.kind.row(record), plan.mapped.groups):
        field = plan.mapped.field(name)
        if field is None:
            continue
        try:
            if field.open:
                opened.setdefault(field.name, {}).update(mapping(value))
            elif field.name not in plan.fields:
                *above, last = field.keys
                opened.setdefault(".".join(above), {})[last] = _typed(field, value, plan)
            elif field.name in texts:
                raise ValueError("this is given twice")
            else:
                texts[field.name] = _text(field, value, plan)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    return texts | {name: dumped(value) for name, value in opened.items()}


def _named(record: Mapping[Any, Any], groups: set[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a record with their dotted names; None is nothing."""
    for key, value in record.items():
        name = f"{above}{key}"
        if name in groups and isinstance(value, Mapping):
            yield from _named(value, groups, f"{name}.")
        elif value is not None:
            yield name, value


def _text(field: Field, value: Any, plan: Plan) -> str:
    convert = plan.convert(field)
    assert convert is not None, "a value of a record is always looked at"
    return convert(value)


def _typed(field: Field, value: Any, plan: Plan) -> Any:
    """What a property holds, of the type that was said."""
    if field.form == "json":
        return value
    text = _text(field, value, plan)
    return text if field.form in TEXTS else orjson.loads(text)


def _fitting(lines: bytes, most: int, block: Block) -> bytes:
    """Turn down what is too large for Klaviyo."""
    if len(lines) <= most or max(map(len, items := lines.split(b"\n"))) <= most:
        return lines
    for place, item in enumerate(items):
        if len(item) > most:
            block.reject(place, f"the row is {len(item):,} bytes; Klaviyo takes {most:,}")
    block.settle()
    return b"\n".join([item for item in items if len(item) <= most])


def _new(lines: bytes, key: Sequence[str], block: Block, lost: Mapping[int, str]) -> tuple[bytes, dict[int, str]]:
    """Turn down what came before, here or in the import whose rejects these are; the stages of what is turned down."""
    keys = _keys(block, key)
    repeated: set[int] = set()
    if lost:
        repeated.update(
            place for place, number in enumerate(block.numbers) if lost.get(number) == stage_of(keys[place])
        )
    if repeated:
        # A row that loses once more takes no key from those after it: the winner may be among them, mended.
        others = [place for place in range(len(keys)) if place not in repeated]
        repeated.update(others[at] for at in block.seen.add([hash(keys[place]) for place in others]))
    else:
        repeated.update(block.seen.add(list(map(hash, keys))))
    if not repeated:
        return lines, {}
    stages = {block.numbers[place]: stage_of(keys[place]) for place in repeated}
    for place in repeated:
        name = next(name for name in key if all(block.column(each)[place] for each in name.split("+")))
        block.reject(place, f"{name.replace('+', ' and ')}: an earlier row has the same")
    block.settle()
    return b"\n".join([item for place, item in enumerate(lines.split(b"\n")) if place not in repeated]), stages


def _keys(block: Block, key: Sequence[str]) -> Sequence[str]:
    """What tells rows apart: the first field that a row has; the others say which they are."""
    first, *others = key
    texts = _key(block, first)
    for name in others:
        if all(texts):
            break
        texts = [text or (other and f"{name} {other}") for text, other in zip(texts, _key(block, name), strict=True)]
    return texts


def _key(block: Block, name: str) -> Values:
    if "+" in name:
        return ["\0".join(texts) for texts in block.rows(name.split("+"))]
    values = block.column(name)
    return list(map(str.casefold, values)) if block.fields[name].form == "email" else values
