"""Exports of products with a row for each variant: one row an item, or one row a variant.

The rows of an item follow each other. Values of the item as a whole are in the first of them, or in all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import cast

from tasks.imports.exports import Catalog, plain_name
from tasks.imports.orders import Order, batches_of
from tasks.imports.sources import Source
from tasks.imports.templates import Template, templates_of

#: The columns that are added: the id of an item, and that of a variant.
PRODUCT_ID, VARIANT_ID = "Product id", "Variant id"

#: All addresses of images in a cell but the first.
_FURTHER_IMAGES = re.compile(r"[\s,;|]+https?://.*", re.DOTALL)


def item_rows(source: Source, catalog: Catalog) -> Source:
    """Return the items of a source, one a row, with one more column for the id."""
    table = _Products(source, catalog)

    def rows() -> Iterator[Order]:
        for first, lines in table.groups():
            if any(not table.is_variant_only(line) for line in lines):
                yield Order([*table.whole(lines), table.item_id(lines[0])], lines, first)

    return replace(source, columns=(*table.columns, PRODUCT_ID), batches=lambda: batches_of(rows()))


def variant_rows(source: Source, catalog: Catalog) -> Source:
    """Return the variants of a source, one a row, with the item's values for empty cells, its id and the variant's."""
    table = _Products(source, catalog)

    def rows() -> Iterator[Order]:
        for first, lines in table.groups():
            whole = table.whole(lines)
            for place, line in enumerate(lines):
                if id := table.variant_id(line):
                    cells = [table.variant_cell(line, at, whole[at]) for at in table.width]
                    yield Order([*cells, table.parent_id(line, lines[0]), id], [line], first + place)

    return replace(source, columns=(*table.columns, PRODUCT_ID, VARIANT_ID), batches=lambda: batches_of(rows()))


class _Condition:
    """A condition of a row, `column=value`, or `column` for any value; its place is None if there is no such column."""

    def __init__(self, text: str, place_of: Callable[[str], int | None]) -> None:
        column, _, value = text.partition("=")
        self.place = place_of(column)
        self._value = value.casefold()

    def holds(self, line: Sequence[str]) -> bool:
        """Return True if a row meets it."""
        cell = line[self.place].strip().casefold() if self.place is not None and len(line) > self.place else ""
        return cell == self._value if self._value else bool(cell)


class _Products:
    """The rows of a source, with the ids that a catalog makes of them."""

    def __init__(self, source: Source, catalog: Catalog) -> None:
        assert source.columns is not None
        self.columns = source.columns
        self.width = range(len(self.columns))
        self._source = source
        places = {plain_name(name): place for place, name in reversed(list(enumerate(self.columns)))}

        def place_of(name: str) -> int | None:
            return places.get(plain_name(name))

        self._item = list(templates_of(catalog.item, place_of))
        self._variant = list(templates_of(catalog.variant, place_of))
        self._parent = list(templates_of(catalog.variant_item, place_of))
        self._variant_type = _Condition(catalog.variant_rows, place_of)
        self._item_type = _Condition(catalog.item_rows, place_of)
        self._shared = {place_of(name) for name in catalog.shared}
        self._of_item = {place_of(name) for name in catalog.of_item}
        self._images = {place_of(name) for name in catalog.images}

    def groups(self) -> Iterator[tuple[int, list[Sequence[str]]]]:
        """Yield the rows of each item, with the number of the first; a row without an id is an item of its own."""
        numbered = (
            (number, cast(Sequence[str], row))
            for batch in self._source.batches()
            for number, row in enumerate(batch.rows, batch.first)
        )
        begun: int | str = 0

        def item_of(each: tuple[int, Sequence[str]]) -> int | str:
            nonlocal begun
            if self._item_type.place is None or self._item_type.holds(each[1]):
                begun = self.item_id(each[1]) or each[0]
            return begun

        for _, group in groupby(numbered, key=item_of):
            rows = list(group)
            yield rows[0][0], [row for _, row in rows]

    def whole(self, lines: Sequence[Sequence[str]]) -> list[str]:
        """Return the values of an item: in each column the first cell that is not empty."""
        return [next(filter(None, (self.cell(line, place) for line in lines)), "") for place in self.width]

    def item_id(self, line: Sequence[str]) -> str:
        """Return the id of a row's item; empty if it cannot be made."""
        return self._first(self._item, line)

    def variant_id(self, line: Sequence[str]) -> str:
        """Return the id of a row's variant; empty if the row has none."""
        if self._variant_type.place is not None and not self.is_variant_only(line):
            return ""
        return self._first(self._variant, line)

    def parent_id(self, line: Sequence[str], first: Sequence[str]) -> str:
        """Return the id of the item of a row's variant, given the first row of that item."""
        if self._item_type.place is not None:
            return self.item_id(first)
        return self._first(self._parent or self._item, line)

    def is_variant_only(self, line: Sequence[str]) -> bool:
        """Return True if a row describes a variant and no item, which only some exports say."""
        return self._variant_type.place is not None and self._variant_type.holds(line)

    def variant_cell(self, line: Sequence[str], place: int, of_item: str) -> str:
        """Return a cell of a variant: that of its item where they share it, or where its own is empty."""
        if place in self._of_item:
            return of_item
        return self.cell(line, place) or (of_item if place in self._shared else "")

    def cell(self, line: Sequence[str], place: int) -> str:
        """Return a cell of a row, which may be shorter than the header; of several images the first."""
        cell = line[place] if len(line) > place else ""
        return _FURTHER_IMAGES.sub("", cell) if place in self._images else cell

    def _first(self, templates: Sequence[Template], line: Sequence[str]) -> str:
        made = (each.fill([self.cell(line, place).strip() for place in each.places]) for each in templates)
        return next(filter(None, made), "")
