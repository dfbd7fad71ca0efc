"""Exports of products with a row for each variant: one row an item, or one row a variant.

The rows of an item follow each other. Values of the item as a whole are in the first of them, or in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import cast

from tasks.imports.exports import Catalog, plain_name
from tasks.imports.orders import Order, batches_of
from tasks.imports.sources import Source
from tasks.imports.templates import Template, templates_of

#: The columns that are added: the id of an item, and that of a variant.
PRODUCT_ID, VARIANT_ID = "Product id", "Variant id"


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
                    cells = [table.cell(line, at) or (table.is_shared(at) and whole[at]) or "" for at in table.width]
                    yield Order([*cells, table.parent_id(line), id], [line], first + place)

    return replace(source, columns=(*table.columns, PRODUCT_ID, VARIANT_ID), batches=lambda: batches_of(rows()))


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
        self._parent = list(templates_of(catalog.variant_item, place_of)) or self._item
        column, _, type = catalog.variant_rows.partition("=")
        self._variant_type = type.casefold()
        self._type = place_of(column)
        self._shared = {place_of(name) for name in catalog.shared}

    def groups(self) -> Iterator[tuple[int, list[Sequence[str]]]]:
        """Yield the rows of each item, with the number of the first; a row without an id is an item of its own."""
        numbered = (
            (number, cast(Sequence[str], row))
            for batch in self._source.batches()
            for number, row in enumerate(batch.rows, batch.first)
        )
        for _, group in groupby(numbered, key=lambda each: self.item_id(each[1]) or each[0]):
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
        if self._type is not None and not self.is_variant_only(line):
            return ""
        return self._first(self._variant, line)

    def parent_id(self, line: Sequence[str]) -> str:
        """Return the id of the item of a row's variant."""
        return self._first(self._parent, line)

    def is_variant_only(self, line: Sequence[str]) -> bool:
        """Return True if a row describes a variant and no item, which only some exports say."""
        return (
            self._type is not None and self.cell(line, self._type).strip().casefold() == self._variant_type.casefold()
        )

    def is_shared(self, place: int) -> bool:
        """Return True if a column has values of the item, which its variants share."""
        return place in self._shared

    def cell(self, line: Sequence[str], place: int) -> str:
        """Return a cell of a row, which may be shorter than the header."""
        return line[place] if len(line) > place else ""

    def _first(self, templates: Sequence[Template], line: Sequence[str]) -> str:
        made = (each.fill([self.cell(line, place).strip() for place in each.places]) for each in templates)
        return next(filter(None, made), "")
