"""The rows of a block of lines, kept as one list of cells."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.imports.cells import is_tidy, is_verbatim


class Grid:
    """Rows that all have the same number of cells.

    One list of cells is quicker to make, and to take columns from, than a list for every row.
    """

    def __init__(self, cells: list[str], width: int, lines: str, step: int | None = None) -> None:
        """Take ``cells``, ``width`` of them for each row.

        lines: the text that they come from. step: entries of the list per row, if each row's cells are followed by
        something else.
        """
        self._cells = cells
        self._width = width
        self._step = step or width
        #: Whether none of the cells needs tidying.
        self.tidy = is_tidy(lines)
        #: Whether JSON writes every cell as it is. No cell of a grid has a quote.
        self.verbatim = self.tidy and is_verbatim(lines)

    def __len__(self) -> int:
        return len(self._cells) // self._step

    def __getitem__(self, row: int) -> list[str]:
        start = row * self._step
        return self._cells[start : start + self._width]

    def __iter__(self) -> Iterator[list[str]]:
        return map(self.__getitem__, range(len(self)))

    def column(self, place: int) -> list[str]:
        """Return the cells of one column."""
        return self._cells[place :: self._step]


def grid_of(lines: str, delimiter: str, width: int) -> Grid | None:
    """Return unquoted lines as a grid; None unless each has exactly ``width`` cells, and more than one."""
    lines = lines.removesuffix("\n")
    cells = [*lines.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter), "\n"]
    count = lines.count("\n") + 1
    # If every row ends in a newline, and there are no others, no newline is inside a row.
    even = len(cells) == count * (width + 1) and cells[width :: width + 1] == ["\n"] * count
    return Grid(cells, width, lines, step=width + 1) if even and width > 1 else None


def quoted_grid_of(lines: str, delimiter: str, width: int) -> Grid | None:
    """Return fully quoted lines as a grid, in half the time of `csv.reader`; None for any other lines."""
    if not lines.startswith('"'):
        return None
    row_end = "\r\n" if lines.endswith("\r\n") else "\n"
    pieces = lines.removesuffix(row_end).split('"')
    cells, between = pieces[1::2], pieces[2:-1:2]
    # A doubled quote, which stands for one inside a cell, leaves an empty piece.
    rows = [*[delimiter] * (width - 1), row_end] * (len(cells) // width)
    if pieces[-1] or [*between, row_end] != rows or width == 1:
        return None
    return Grid(cells, width, lines)
