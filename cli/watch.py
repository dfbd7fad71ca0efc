"""A view that is looked at again and again, in a terminal."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.text import Text

from cli.terminal import WRONG, stdout, stop

#: Seconds between two looks.
PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Fitting:
    """What stands above, then a table of the first rows: as many as fit into so many lines, and how many do not."""

    above: Sequence[RenderableType]
    rows: Sequence[Any]
    table: Callable[[Sequence[Any]], RenderableType]
    lines: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """See how many there is room for; a row may take more lines than one."""

        def taken(count: int) -> int:
            return len(console.render_lines(self._first(count), options, pad=False))

        # A row is a line at least, so there is no need to look at more of them than there are lines.
        most = min(len(self.rows), self.lines)
        yield self._first(max(0, bisect_right(range(most + 1), self.lines, key=taken) - 1))

    def _first(self, count: int) -> Group:
        left = len(self.rows) - count
        return Group(
            *self.above, self.table(self.rows[:count]), *([Text(f"… and {left:,} more", "dim")] if left else [])
        )


def watched(view: Callable[[int], RenderableType]) -> None:
    """Show the view each second until Ctrl-C; it is given the lines that there is room for.

    Raises:
        Exit: there is no terminal.

    """
    from rich.live import Live

    console = stdout()
    if not console.is_terminal:
        raise stop("--watch needs a terminal; leave it out, or use --json.", WRONG)
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(view(max(1, console.height - 2)), refresh=True)
                time.sleep(PAUSE)
    except KeyboardInterrupt:
        return
