"""The two kinds of tables that commands print: names with values, and columns under a header."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.terminal.columns import GAP, break_words, fit_widths, least_width, natural_width

#: How many reasons are listed before the rest is counted.
MAX_REASONS = 3

Cell = str | Text


def facts(*rows: tuple[str, Cell | None]) -> Table:
    """Lay out names with their values; names without a value are left out."""
    table = Table(box=None, padding=(0, GAP, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(name, Text(value) if isinstance(value, str) else value)
    return table


def listing(
    *columns: str, whole: Collection[str] = (), optional: Sequence[str] = (), below: Sequence[str] = ()
) -> Listing:
    """Make a table with these columns. A name ending in ``>`` is that of numbers; an empty name is no column.

    Numbers and the cells of ``whole`` columns are never broken, because they may have to be copied. If there is too
    little room, the ``optional`` columns are left out one after the other; then the values of the columns named in
    ``below`` are printed on a line of their own under each row.
    """
    named = [Column(name.rstrip(">"), name.endswith(">"), name in whole) for name in columns if name]
    return Listing(named, optional, below)


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and how its cells are shown."""

    name: str
    number: bool
    whole: bool


@dataclass(slots=True)
class Listing:
    """Columns under a header, laid out for the available width when they are printed."""

    columns: Sequence[Column]
    optional: Sequence[str]
    below: Sequence[str]
    rows: list[tuple[dict[str, Text], str]] = field(default_factory=list)

    def add_row(self, *cells: Cell, style: str = "") -> None:
        """Add a row with a cell for each column. No text is taken for markup."""
        texts = (Text(cell) if isinstance(cell, str) else cell for cell in cells)
        self.rows.append((dict(zip((column.name for column in self.columns), texts, strict=True)), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Lay out the table for the console's width."""
        shown, under = list(self.columns), list[Column]()
        for name in ("", *self.optional, *self.below):
            if name not in self.optional:
                under += [column for column in shown if column.name == name]
            shown = [column for column in shown if column.name != name]
            if given := self._widths(shown, options.max_width):
                yield from self._laid_out(shown, given, [column.name for column in self.columns if column in under])
                return
        for row, _ in self.rows:
            yield facts(*row.items())
            yield Text()

    def _widths(self, shown: Sequence[Column], room: int) -> list[int] | None:
        wanted, needed = [], []
        for column in shown:
            cells = [row[column.name].plain for row, _ in self.rows]
            header = max(map(natural_width, column.name.split()))
            wanted.append(max([natural_width(column.name), *map(natural_width, cells)]))
            kept = column.number or column.whole
            enough = max([header, *map(natural_width if kept else least_width, cells)])
            needed.append(enough if kept else min(wanted[-1], enough))
        return fit_widths(wanted, needed, room)

    def _laid_out(
        self, shown: Sequence[Column], given: Sequence[int], under: Sequence[str]
    ) -> Iterator[RenderableType]:  # fmt: skip
        if not under:
            yield _grid(shown, given, self.rows, header=True)
            return
        yield _grid(shown, given, [], header=True)
        for row in self.rows:
            yield _grid(shown, given, [row], header=False)
            if shown_below := [
                Text.assemble((f"{name} ", "dim"), row[0][name]) for name in under if _says(row[0][name])
            ]:
                yield Padding(Text("  ").join(shown_below), (0, 0, 0, GAP))


def _says(cell: Text) -> bool:
    return cell.plain not in ("", "-")


def _grid(
    shown: Sequence[Column], given: Sequence[int], rows: Iterable[tuple[dict[str, Text], str]], *, header: bool
) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim", pad_edge=False, show_header=header)
    for column, width in zip(shown, given, strict=True):
        table.add_column(column.name, justify="right" if column.number else "left", width=width, overflow="fold")
    for row, style in rows:
        cells = zip(shown, given, strict=True)
        table.add_row(*(break_words(row[column.name], width) for column, width in cells), style=style)
    return table


def most_frequent(reasons: Iterable[tuple[str, int]]) -> str:
    """Format the most frequent reasons: ``email: is missing (12); …``."""
    counted = [f"{reason} ({count:,})" for reason, count in reasons]
    more = f"; and {len(counted) - MAX_REASONS:,} other reasons" if len(counted) > MAX_REASONS else ""
    return "; ".join(counted[:MAX_REASONS]) + more
