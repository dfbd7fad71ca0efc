"""Orders of a file that has a row for each of their items: put together, an order a row, with a list of its items.

The rows of an order follow each other. What is told of the order as a whole stands in the first of them, or in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import orjson

from tasks.imports.amounts import Decimal
from tasks.imports.cells import tidied
from tasks.imports.exports import Matched
from tasks.imports.sources import ROWS, Batch, Source
from tasks.imports.values import boolean, number

#: The metric of one item of an order, and that of all of it.
ORDERED_PRODUCT = "Ordered Product"

#: The columns that are added: the items of an order; of a single item, what it costs and the id of its event.
ITEMS, COST, ITEM_ID = "Items", "Item total", "Item id"


class Order(list[str]):
    """The cells of an order as one row, and the ``lines`` of the file that it stands in, from row ``first`` on.

    ``problem`` says why it cannot be taken.
    """

    def __init__(self, cells: Sequence[str], lines: Sequence[Sequence[str]], first: int) -> None:
        super().__init__(cells)
        self.lines = lines
        self.first = first
        self.problem: str | None = None


def orders(source: Source, matched: Matched, decimals: Decimal | None) -> Source:
    """The orders of a source, each as a row with a column more: its items, as JSON."""
    assert source.columns is not None
    columns = source.columns

    def batches() -> Iterator[Batch]:
        return _batches(
            _with_items(lines, first, columns, matched, decimals) for first, lines in _groups(source, matched)
        )

    return replace(source, columns=(*columns, ITEMS), batches=batches)


def ordered_products(source: Source, matched: Matched, decimals: Decimal | None) -> Source:
    """The items of the orders of a source, each as a row that tells of its order, too; with an id and what it costs."""
    assert source.columns is not None
    columns = source.columns

    def rows() -> Iterator[Order]:
        for first, lines in _groups(source, matched):
            whole = _whole(lines, len(columns))
            for place, line in enumerate(lines):
                yield _item_alone(line, whole, first + place, place, columns, matched, decimals)

    return replace(source, columns=(*columns, COST, ITEM_ID), batches=lambda: _batches(rows()))


def _batches(rows: Iterator[Order]) -> Iterator[Batch]:
    first = 1
    while block := list(islice(rows, ROWS)):
        yield Batch(first, block)
        first += len(block)


def _groups(source: Source, matched: Matched) -> Iterator[tuple[int, list[Sequence[str]]]]:
    """The rows of each order, with the number of the first; a row that names no order is one of its own."""
    assert source.columns is not None
    assert matched.order is not None
    place = source.columns.index(matched.order)
    rows = ((number, row) for batch in source.batches() for number, row in enumerate(batch.rows, batch.first))
    for _, group in groupby(rows, key=lambda each: (each[1][place : place + 1] or [""])[0] or each[0]):  # type: ignore[index]
        numbered = list(group)
        yield numbered[0][0], [row for _, row in numbered]  # type: ignore[misc]


def _whole(lines: Sequence[Sequence[str]], width: int) -> list[str]:
    """What is told of an order: in each column the first cell that says something."""
    cells = [next((line[place] for line in lines if len(line) > place and line[place]), "") for place in range(width)]
    return [*cells, *(lines[0][width:] if any(lines[0][width:]) else ())]


def _with_items(
    lines: list[Sequence[str]], first: int, columns: Sequence[str], matched: Matched, decimals: Decimal | None
) -> Order:
    whole = _whole(lines, len(columns))
    row = Order([*whole[: len(columns)], "", *whole[len(columns) :]], lines, first)
    try:
        items = [_item(line, columns, matched, decimals) for line in lines]
        row[len(columns)] = orjson.dumps([item for item in items if item]).decode()
    except ValueError as error:
        row.problem = str(error)
    return row


def _item_alone(
    line: Sequence[str],
    whole: Sequence[str],
    number_of: int,
    place: int,
    columns: Sequence[str],
    matched: Matched,
    decimals: Decimal | None,
) -> Order:
    told = {column for column, _ in matched.items.values()}
    cells = [(line[at] if len(line) > at else "") if column in told else whole[at] for at, column in enumerate(columns)]
    cost = ""
    problem = None
    try:
        item = _item(line, columns, matched, decimals)
        if "ItemPrice" in item:
            cost = f"{round(item['ItemPrice'] * item.get('Quantity', 1), 6)}"
    except ValueError as error:
        problem = str(error)
    order = columns.index(matched.order or "")
    id_column = next((each.rpartition("=")[0] for each in matched.mapping if each.endswith("=unique_id")), None)
    id = whole[columns.index(id_column)] if id_column in columns else ""
    row = Order([*cells, cost, f"{id or whole[order]}-{place + 1}"], [line], number_of)
    row.problem = problem
    return row


def _item(line: Sequence[str], columns: Sequence[str], matched: Matched, decimals: Decimal | None) -> dict[str, Any]:
    """One item of an order: what its row says of it."""
    item: dict[str, Any] = {}
    for key, (column, type) in matched.items.items():
        place = columns.index(column)
        (cell,) = tidied([line[place].strip() if len(line) > place else ""])
        if not cell:
            continue
        try:
            item[key] = number(cell, decimals) if type == "number" else boolean(cell) if type == "boolean" else cell
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from None
    return item
