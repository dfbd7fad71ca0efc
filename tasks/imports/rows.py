"""From a batch of rows to items: map, check, write, and reject duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from tasks.imports.block import Block, Values
from tasks.imports.cells import tidy_cells
from tasks.imports.checks import normalise_contacts, require_fields, require_identifier
from tasks.imports.dates import normalise_moments
from tasks.imports.fields import TEXTS, Field
from tasks.imports.grid import Grid
from tasks.imports.kinds import UNSET
from tasks.imports.orders import Order
from tasks.imports.plan import Plan
from tasks.imports.repeats import stage_of, stages_of_losers
from tasks.imports.seen_keys import SeenKeys
from tasks.imports.sources import Batch, Unreadable
from tasks.imports.values import Convert, are_numbers, dump_json, require_mapping


@dataclass(frozen=True, slots=True)
class Judged:
    """The items of a batch, one a line, with their row numbers, and why the other rows were rejected.

    The items are not split: most go into a request as they are. ``repeated`` are the stages of rejected duplicates.
    """

    lines: bytes
    rows: Sequence[int]
    rejected: Mapping[int, str]
    repeated: Mapping[int, str]


def judge(batch: Batch, plan: Plan, seen: SeenKeys) -> Judged:
    """Make items of the good rows; ``seen`` knows the keys of earlier batches."""
    block = Block(range(batch.first, batch.first + len(batch.rows)), {}, plan.fields, plan.options, seen)
    if plan.header is None:
        _read_records(cast(Sequence[Mapping[str, Any] | Unreadable], batch.rows), plan, block)
    else:
        _read_cells(cast(Sequence[Sequence[str]] | Grid, batch.rows), plan, plan.header, block)
    for name, text in plan.fixed.items():
        block.columns[name] = [own or text for own in block.column(name)]
    if plan.options.clear_empty:
        _clear_empty(block)
    normalise_contacts(block)
    require_identifier(block, plan.kind.identifiers)
    require_fields(block, plan.kind.required)
    block.settle()
    for rule in plan.kind.rules:
        rule(block)
        block.settle()
    if not block.numbers:
        return Judged(b"", [], block.rejected, {})
    filled = {name: values for name, values in block.columns.items() if any(values)}
    lines = plan.layout(list(filled)).lines(filled, len(block.numbers), block.verbatim)
    lines = _fitting(lines, plan.kind.max_item_bytes, block)
    lines, repeated = _new(lines, plan.kind.key, block, stages_of_losers(batch, plan.header))
    return Judged(lines, block.numbers, block.rejected, repeated)


def _read_cells(rows: Sequence[Sequence[str]] | Grid, plan: Plan, header: Sequence[str], block: Block) -> None:
    """Read the columns of a table."""
    column = rows.column if isinstance(rows, Grid) else _columns(rows, len(header), block).__getitem__
    tidy = isinstance(rows, Grid) and rows.tidy
    converted = any(field.form in TEXTS and plan.convert(field) for field in plan.columns.values())
    block.verbatim = isinstance(rows, Grid) and rows.verbatim and not (converted or plan.fixed or plan.templates)
    for place, field in plan.columns.items():
        values, convert = column(place), plan.convert(field)
        if not tidy:
            values = tidy_cells(values)
        if convert is None or (field.form == "number" and not field.choices and are_numbers(values, field.style)):
            block.columns[field.name] = values
        elif field.form == "time" and (read := normalise_moments(values)) is not None:
            block.columns[field.name] = [each and f'"{each}"' for each in read]
        else:
            block.columns[field.name] = _read(values, convert, field, block)
    for name, template in plan.templates.items():
        cells = [column(place) if tidy else tidy_cells(column(place)) for place in template.places]
        made: Values = list(map(template.fill, zip(*cells, strict=True)))
        if convert := plan.convert(plan.fields[name]):
            made = _read(made, convert, plan.fields[name], block)
        block.columns[name] = [own or text for own, text in zip(block.column(name), made, strict=True)]


def _columns(rows: Sequence[Sequence[str]], width: int, block: Block) -> list[Values]:
    """Return the columns of rows, some of which may not be as wide as the header.

    Many programs omit empty cells at the end of a row, or add some. A row with a value beyond the header is rejected,
    since that column has no name.
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
    """Say what is wrong with a row that has more cells than the header, or fewer."""
    counts = f"{cells}, and the header has {width}"
    if cells > width:
        return f"there are more cells than columns: {counts}; put a cell that holds a delimiter in quotes"
    return f"there are fewer cells than columns: {counts}"


def _read(values: Values, convert: Convert, field: Field, block: Block) -> Values:
    """Convert a column's values; blank ones become empty. Each distinct value is converted once, since that is slow."""
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
    """Unset the properties whose cells are empty; Klaviyo has no way to unset other fields of a profile."""
    columns = {field.keys[1]: name for name in block.columns if (field := block.fields[name]).keys[0] == "properties"}
    block.columns[UNSET] = [
        dump_json(empty) if (empty := [key for key, text in zip(columns, row, strict=True) if not text]) else ""
        for row in block.rows(list(columns.values()))
    ]


def _read_records(records: Sequence[Mapping[str, Any] | Unreadable], plan: Plan, block: Block) -> None:
    """Read the columns of records."""
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
    """Return the texts of a record's fields; the values of an open field, such as ``properties``, as one."""
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
                opened.setdefault(field.name, {}).update(require_mapping(value))
            elif field.name not in plan.fields:
                *above, last = field.keys
                opened.setdefault(".".join(above), {})[last] = _typed(field, value, plan)
            elif field.name in texts:
                raise ValueError("this is given twice")
            else:
                texts[field.name] = _text(field, value, plan)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    return texts | {name: dump_json(value) for name, value in opened.items()}


def _named(record: Mapping[Any, Any], groups: set[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a record with their dotted names, but for None."""
    for key, value in record.items():
        name = f"{above}{key}"
        if name in groups and isinstance(value, Mapping):
            yield from _named(value, groups, f"{name}.")
        elif value is not None:
            yield name, value


def _text(field: Field, value: Any, plan: Plan) -> str:
    convert = plan.convert(field)
    assert convert is not None, "a value of a record is always converted"
    return convert(value)


def _typed(field: Field, value: Any, plan: Plan) -> Any:
    """Return a property's value as the type that its mapping gives."""
    if field.form == "json":
        return value
    text = _text(field, value, plan)
    return text if field.form in TEXTS else orjson.loads(text)


def _fitting(lines: bytes, most: int, block: Block) -> bytes:
    """Reject items that are too large for Klaviyo."""
    if _are_lines_within(lines, most):
        return lines
    items = lines.split(b"\n")
    for place, item in enumerate(items):
        if len(item) > most:
            block.reject(place, f"the row is {len(item):,} bytes; Klaviyo takes {most:,}")
    block.settle()
    return b"\n".join([item for item in items if len(item) <= most])


def _are_lines_within(lines: bytes, most: int) -> bool:
    """Return True if no line is longer than ``most``: a newline is found within so many bytes of the one before."""
    start = 0
    while len(lines) - start > most:
        end = lines.rfind(b"\n", start, start + most + 1)
        if end < 0:
            return False
        start = end + 1
    return True


def _new(lines: bytes, key: Sequence[str], block: Block, lost: Mapping[int, str]) -> tuple[bytes, dict[int, str]]:
    """Reject duplicates, of this import or the one that wrote this reject file; return their stages by row."""
    keys = _keys(block, key)
    repeated: set[int] = set()
    if lost:
        repeated.update(
            place for place, number in enumerate(block.numbers) if lost.get(number) == stage_of(keys[place])
        )
    if repeated:
        # A duplicate that loses again claims no key: the corrected winner may come after it.
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
    """Return each row's key: the first key field that it has, with the field's name unless that is the first."""
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
    if block.fields[name].form != "email":
        return values
    return list(map(str.casefold, values))
