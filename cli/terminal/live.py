"""A part of the terminal that is redrawn again and again. Without a terminal, nothing of it is drawn."""

from __future__ import annotations

from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live


class LiveView:
    """A view that is live inside a ``with`` block.

    ``transient``: nothing of it remains afterwards; ``screen``: until then it takes up the whole terminal.
    """

    def __init__(self, console: Console, *, transient: bool = False, screen: bool = False) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=transient, screen=screen)
            if console.is_terminal
            else None
        )

    @property
    def is_live(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._live is not None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def draw(self, view: RenderableType) -> None:
        """Draw this view in place of the one before."""
        if self._live:
            self._live.update(view, refresh=True)
