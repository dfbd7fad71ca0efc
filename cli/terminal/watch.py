"""A live view in a terminal, refreshed every second."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.text import Text

from cli.terminal.printing import EXIT_USAGE, stdout, stop

#: Seconds between two refreshes.
REFRESH_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Fitting:
    """Some lines, then a table of as many rows as fit into the given lines, and the number of rows that do not."""

    above: Sequence[RenderableType]
    rows: Sequence[Any]
    table: Callable[[Sequence[Any]], RenderableType]
    lines: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Find out how many rows fit; a row may take several lines."""

        def taken(count: int) -> int:
            return len(console.render_lines(self._first(count), options, pad=False))

        # A row takes at least one line, so no more rows than lines can fit.
        most = min(len(self.rows), self.lines)
        yield self._first(max(0, bisect_right(range(most + 1), self.lines, key=taken) - 1))

    def _first(self, count: int) -> Group:
        left = len(self.rows) - count
        return Group(
            *self.above, self.table(self.rows[:count]), *([Text(f"… and {left:,} more", "dim")] if left else [])
        )


def show_live(
    view: Callable[[int], RenderableType], what: str = "--watch", instead: str = "leave it out, or use --json"
) -> None:
    """Show the view and refresh it every second until Ctrl-C; it is given the number of lines that fit.

    ``what`` asks for it, and ``instead`` is what to do where there is no terminal.

    Raises:
        Exit: there is no terminal.

    """
    from cli.terminal.live import LiveView

    console = stdout()
    screen = LiveView(console, screen=True)
    if not screen.is_live:
        raise stop(f"{what} needs a terminal; {instead}.", EXIT_USAGE)
    try:
        with screen:
            while True:
                screen.draw(view(max(1, console.height - 2)))
                time.sleep(REFRESH_INTERVAL_S)
    except KeyboardInterrupt:
        return
