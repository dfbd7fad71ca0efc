"""The rows of a block of lines, kept as one list of cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, repeat

from tasks.imports.cells import count_control_characters, is_tidy


class Grid:
    """Rows that all have the same number of cells.

    One list of cells is quicker to make, and to take columns from, than a list for every row.
    """

    def __init__(self, cells: list[str], width: int, lines: str, row_end: str = "\n", step: int | None = None) -> None:
        """Take ``cells``, ``width`` of them for each row.

        lines: the text that they come from, without the last ``row_end``. step: entries of the list per row, if each
        row's cells are followed by something else.
        """
        self._cells = cells
        self._width = width
        self._step = step or width
        #: Whether none of the cells needs tidying.
        self.tidy = is_tidy(lines)
        #: Whether JSON writes every cell as it is. No cell of a grid has a quote.
        self.verbatim = self.tidy and count_control_characters(lines) == (len(self) - 1) * len(row_end)

    def __len__(self) -> int:
        return len(self._cells) // self._step

    def __getitem__(self, row: int) -> list[str]:
        start = row * self._step
        return self._cells[start : start + self._width]

    def has_sparse_row(self) -> bool:
        """Return True if a row has no value but in its first cell: it is blank, or may be a footer."""
        second = self.column(1)
        return "" in second and any(not any(self[row][1:]) for row, cell in enumerate(second) if not cell)

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
    """Return lines of which some cells, or all, are in quotes as a grid; None if a quote stands for itself.

    Cutting the text at its quotes takes half the time of `csv.reader`.
    """
    row_end = "\r\n" if lines.endswith("\r\n") else "\n"
    lines = lines.removesuffix(row_end)
    pieces = lines.split('"')
    if len(pieces) % 2 == 0 or width == 1:
        return None
    bare, quoted = pieces[::2], pieces[1::2]
    if _are_all_quoted(bare, delimiter, width, row_end):
        return Grid(quoted, width, lines, row_end)
    # A quote in place of each cell that is in quotes; one that stands for itself is doubled, and so leaves several.
    outline = '"'.join(bare).replace(row_end, f"{delimiter}\n{delimiter}")
    cells = [*outline.split(delimiter), "\n"]
    ends = cells[width :: width + 1]
    even = len(cells) == len(ends) * (width + 1) and ends.count("\n") == len(ends) == outline.count("\n") + 1
    if not even or "\r" in outline:
        return None
    for place, text in zip(accumulate(map(str.count, outline.split('"'), repeat(delimiter))), quoted, strict=False):
        if cells[place] != '"':
            return None
        cells[place] = text
    return Grid(cells, width, lines, row_end, step=width + 1)


def _are_all_quoted(bare: list[str], delimiter: str, width: int, row_end: str) -> bool:
    """Return True if, outside of quotes, there are delimiters and row ends only, each where it belongs."""
    rows, rest = divmod(len(bare) - 1, width)
    return (
        not (rest or bare[0] or bare[-1])
        and bare[width:-1:width].count(row_end) == rows - 1
        and bare.count(delimiter) == rows * (width - 1)
    )
