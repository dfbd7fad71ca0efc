"""A part of a terminal that is drawn anew again and again; where there is no terminal, nothing of it is drawn."""

from __future__ import annotations

from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live


class LiveView:
    """Something that is shown live for as long as a ``with`` lasts.

    ``transient``: nothing of it stays when it ends; ``screen``: it takes the whole terminal until then.
    """

    def __init__(self, console: Console, *, transient: bool = False, screen: bool = False) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=transient, screen=screen)
            if console.is_terminal
            else None
        )

    @property
    def lives(self) -> bool:
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
        """Draw it, in place of what was drawn before."""
        if self._live:
            self._live.update(view, refresh=True)
