"""Files of orders with a row for each item, or with all items in one row: one row an order, with a list of its items.

The rows of an order follow each other. Values of the order as a whole are in the first of them, or in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any, cast

import orjson

from tasks.imports.amounts import DecimalMark
from tasks.imports.cells import tidy_cells
from tasks.imports.exports import Matched
from tasks.imports.packed_items import unpack_items
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


def group_orders(source: Source, matched: Matched, decimals: DecimalMark | None) -> Source:
    """Return the orders of a source, one a row, with one more column for its items as JSON."""
    table = _Table(source, matched, decimals)

    def rows() -> Iterator[Order]:
        return (table.order(lines, first) for first, lines in table.groups())

    return replace(source, columns=(*table.columns, ITEMS), batches=lambda: batches_of(rows()))


def list_ordered_products(source: Source, matched: Matched, decimals: DecimalMark | None) -> Source:
    """Return the items of the orders of a source, one a row, with the values of its order, its cost and an id."""
    table = _Table(source, matched, decimals)

    def rows() -> Iterator[Order]:
        for first, lines in table.groups():
            yield from table.products(lines, first)

    return replace(source, columns=(*table.columns, *table.unpacked, COST, ITEM_ID), batches=lambda: batches_of(rows()))


def batches_of(rows: Iterator[Order]) -> Iterator[Batch]:
    """Yield rows in batches, with row numbers of their own."""
    first = 1
    while block := list(islice(rows, BATCH_ROWS)):
        yield Batch(first, block)
        first += len(block)


class _Table:
    """The rows of a source, and the columns of an order and of its items."""

    def __init__(self, source: Source, matched: Matched, decimals: DecimalMark | None) -> None:
        assert source.columns is not None
        assert matched.order is not None
        self.columns = source.columns
        self._source = source
        self._decimals = decimals
        self._width = len(self.columns)
        self._order = self.columns.index(matched.order)
        self._items = matched.items
        self._packed = [self.columns.index(name) for name in matched.packed]
        self._names = {key: target.partition(":")[0] for key, target in matched.export.items.items() if matched.packed}
        self._name = re.compile(matched.export.packed.name if matched.export.packed else "")
        #: The columns that are added for the texts of packed items.
        self.unpacked = tuple(matched.items) if matched.packed else ()
        self._no_order = {
            self.columns.index(name): frozenset(map(str.casefold, words)) for name, words in matched.no_order.items()
        }
        leads = {
            target.partition(":")[0]: name for name, _, target in (each.rpartition("=") for each in matched.mapping)
        }
        self._id = self.columns.index(leads.get("unique_id", matched.order))
        self._time = self.columns.index(leads["time"]) if "time" in leads else None
        self._time_of_day = self.columns.index(matched.time_of_day) if matched.time_of_day else None

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
        cells = [next(filter(None, (_at(line, place) for line in lines)), "") for place in range(self._width)]
        if self._time is not None and self._time_of_day is not None and cells[self._time]:
            cells[self._time] = f"{cells[self._time]} {cells[self._time_of_day]}".rstrip()
        return cells

    def order(self, lines: Sequence[Sequence[str]], first: int) -> Order:
        """Return an order with its items."""
        whole = self.whole(lines)
        problem, items = self._problem(whole), ""
        try:
            found = [self._item(texts) for line in lines for texts in self._texts(line) if texts]
            items = orjson.dumps(found).decode() if found else ""
        except ValueError as error:
            problem = problem or str(error)
        return Order([*whole, items, *lines[0][self._width :]], lines, first, problem)

    def products(self, lines: Sequence[Sequence[str]], first: int) -> Iterator[Order]:
        """Yield the items of an order: their own values from their rows, the order's from any of its rows."""
        whole = self.whole(lines)
        own = set() if self._packed else {self.columns.index(name) for name, _ in self._items.values()}
        place = 0
        for number, line in enumerate(lines, first):
            cells = [_at(line, at) if at in own else whole[at] for at in range(self._width)]
            for texts in self._texts(line):
                place += 1
                if not texts:
                    continue  # a row without an item, such as one for a second payment
                problem, cost = self._problem(whole), ""
                try:
                    item = self._item(texts)
                    if "ItemPrice" in item:
                        cost = f"{round(item['ItemPrice'] * item.get('Quantity', 1), 6)}"
                except ValueError as error:
                    problem = problem or str(error)
                id = f"{whole[self._id] or whole[self._order]}-{place}"
                added = [texts.get(key, "") for key in self.unpacked]
                yield Order([*cells, *added, cost, id, *line[self._width :]], [line], number, problem)

    def _problem(self, whole: Sequence[str]) -> str | None:
        """Say why an order is none."""
        for place, words in self._no_order.items():
            if whole[place].strip().casefold() in words:
                return (
                    f"{self.columns[place]}: by this, no order was placed; leave it out, "
                    "or import such rows as something else with --metric"
                )
        return None

    def _texts(self, line: Sequence[str]) -> Iterator[dict[str, str]]:
        """Yield the items of a row, each as its texts by key."""
        if self._packed:
            for item in unpack_items((_at(line, place) for place in self._packed), self._name):
                yield {key: item[name] for key, name in self._names.items() if item.get(name)}
            return
        cells = {key: _at(line, self.columns.index(name)).strip() for key, (name, _) in self._items.items()}
        yield {key: cell for key, text in cells.items() if (cell := tidy_cells([text])[0])}

    def _item(self, texts: Mapping[str, str]) -> dict[str, Any]:
        item: dict[str, Any] = {}
        for key, text in texts.items():
            name, type = self._items[key]
            try:
                item[key] = self._read(text, type)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return item

    def _read(self, cell: str, type: str) -> Any:
        if type == "number":
            return parse_number(cell, self._decimals)
        return parse_boolean(cell) if type == "boolean" else cell


def _at(line: Sequence[str], place: int) -> str:
    return line[place] if len(line) > place else ""
