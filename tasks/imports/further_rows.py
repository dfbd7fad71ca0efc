"""Exports of people with a row for each of their addresses: the rows below the first lack what identifies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from tasks.imports.orders import Order, batches_of
from tasks.imports.sources import Source


def leave_out_further_rows(source: Source, column: str) -> Source:
    """Return the rows of a source without those that have nothing in a column: they go with the row above.

    They stand in the reject file if that one does.
    """
    assert source.columns is not None
    place = source.columns.index(column)

    def rows() -> Iterator[Order]:
        lines: list[Sequence[str]] = []
        begun = 0
        for batch in source.batches():
            for number, row in enumerate(cast(Sequence[Sequence[str]], batch.rows), batch.first):
                if lines and not (row[place].strip() if len(row) > place else ""):
                    lines.append(row)
                    continue
                if lines:
                    yield Order(lines[0], lines, begun)
                lines, begun = [row], number
        if lines:
            yield Order(lines[0], lines, begun)

    return replace(source, batches=lambda: batches_of(rows()))
