"""Files of orders with a row for each item: one row an order, with a list of its items.

The rows of an order follow each other. Values of the order as a whole are in the first of them, or in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any, cast

import orjson

from tasks.imports.amounts import Decimal
from tasks.imports.cells import tidy_cells
from tasks.imports.exports import Matched
from tasks.imports.sources import BATCH_ROWS, Batch, Source
from tasks.imports.values import parse_boolean, parse_number

#: The metric of one item of an order.
ORDERED_PRODUCT = "Ordered Product"

#: The columns that are added: the items of an order; for a single item, its cost and the id of its event.
ITEMS, COST, ITEM_ID = "Items", "Item total", "Item id"


class Order(list[str]):
    """The cells of an order as one row, and its original ``lines``, which begin at row ``first``.

    ``problem`` says why it is rejected.
    """

    def __init__(
        self, cells: Sequence[str], lines: Sequence[Sequence[str]], first: int, problem: str | None = None
    ) -> None:
        super().__init__(cells)
        self.lines = lines
        self.first = first
        self.problem = problem


def group_orders(source: Source, matched: Matched, decimals: Decimal | None) -> Source:
    """Return the orders of a source, one a row, with one more column for its items as JSON."""
    table = _Table(source, matched, decimals)

    def rows() -> Iterator[Order]:
        return (table.order(lines, first) for first, lines in table.groups())

    return replace(source, columns=(*table.columns, ITEMS), batches=lambda: batches_of(rows()))


def list_ordered_products(source: Source, matched: Matched, decimals: Decimal | None) -> Source:
    """Return the items of the orders of a source, one a row, with the values of its order, its cost and an id."""
    table = _Table(source, matched, decimals)

    def rows() -> Iterator[Order]:
        for first, lines in table.groups():
            whole = table.whole(lines)
            for place, line in enumerate(lines):
                yield table.product(line, whole, place, first + place)

    return replace(source, columns=(*table.columns, COST, ITEM_ID), batches=lambda: batches_of(rows()))


def batches_of(rows: Iterator[Order]) -> Iterator[Batch]:
    """Yield rows in batches, numbered anew."""
    first = 1
    while block := list(islice(rows, BATCH_ROWS)):
        yield Batch(first, block)
        first += len(block)


class _Table:
    """The rows of a source, and the columns of an order and of its items."""

    def __init__(self, source: Source, matched: Matched, decimals: Decimal | None) -> None:
        assert source.columns is not None
        assert matched.order is not None
        self.columns = source.columns
        self._source = source
        self._decimals = decimals
        self._width = len(self.columns)
        self._order = self.columns.index(matched.order)
        self._items = {key: (self.columns.index(name), type) for key, (name, type) in matched.items.items()}
        ids = (name for name, _, target in (each.rpartition("=") for each in matched.mapping) if target == "unique_id")
        self._id = next((self.columns.index(name) for name in ids), self._order)

    def groups(self) -> Iterator[tuple[int, list[Sequence[str]]]]:
        """Yield the rows of each order, with the number of the first; a row without an order id is its own order."""
        numbered = (
            (number, cast(Sequence[str], row))
            for batch in self._source.batches()
            for number, row in enumerate(batch.rows, batch.first)
        )
        for _, group in groupby(numbered, key=lambda each: _at(each[1], self._order) or each[0]):
            rows = list(group)
            yield rows[0][0], [row for _, row in rows]

    def whole(self, lines: Sequence[Sequence[str]]) -> list[str]:
        """Return the values of an order: in each column the first cell that is not empty."""
        return [next(filter(None, (_at(line, place) for line in lines)), "") for place in range(self._width)]

    def order(self, lines: Sequence[Sequence[str]], first: int) -> Order:
        """Return an order with its items."""
        problem, items = None, ""
        try:
            items = orjson.dumps(list(filter(None, map(self._item, lines)))).decode()
        except ValueError as error:
            problem = str(error)
        return Order([*self.whole(lines), items, *lines[0][self._width :]], lines, first, problem)

    def product(self, line: Sequence[str], whole: Sequence[str], place: int, number: int) -> Order:
        """Return one item of an order: its own values from its row, the order's from any of the order's rows."""
        own = {at for at, _ in self._items.values()}
        cells = [_at(line, at) if at in own else whole[at] for at in range(self._width)]
        problem, cost = None, ""
        try:
            item = self._item(line)
            if "ItemPrice" in item:
                cost = f"{round(item['ItemPrice'] * item.get('Quantity', 1), 6)}"
        except ValueError as error:
            problem = str(error)
        id = f"{whole[self._id] or whole[self._order]}-{place + 1}"
        return Order([*cells, cost, id, *line[self._width :]], [line], number, problem)

    def _item(self, line: Sequence[str]) -> dict[str, Any]:
        item: dict[str, Any] = {}
        for key, (place, type) in self._items.items():
            (cell,) = tidy_cells([_at(line, place).strip()])
            if not cell:
                continue
            try:
                item[key] = self._read(cell, type)
            except ValueError as error:
                raise ValueError(f"{self.columns[place]}: {error}") from None
        return item

    def _read(self, cell: str, type: str) -> Any:
        if type == "number":
            return parse_number(cell, self._decimals)
        return parse_boolean(cell) if type == "boolean" else cell


def _at(line: Sequence[str], place: int) -> str:
    return line[place] if len(line) > place else ""
