"""A view that is looked at again and again, in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import RenderableType

from worker.cli.terminal import WRONG, stdout, stop

#: Seconds between two looks.
PAUSE = 1.0


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
