"""What the commands write to: results to standard output, everything said about them to standard error."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console

#: Columns where there is no terminal to ask: a pipe or a log takes a table of any width.
WIDE = 160

#: Exit codes: it did not work; it was not tried because the call or the settings are wrong.
FAILED, WRONG = 1, 2


def stdout() -> Console:
    """Where results go. Made anew for each command, so that it is the stream of this moment."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def say(text: str, style: str = "") -> None:
    """One sentence beside the results: a terminal gets lines that end between words, a log gets one."""
    console = Console(stderr=True, highlight=False)
    console.print(text, style=style, markup=False, soft_wrap=not console.is_terminal)


def print_json(value: Any) -> None:
    """A result for other programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def stop(sentence: str, code: int = FAILED) -> typer.Exit:
    """The end of a command that cannot go on; raise it."""
    say(sentence, "red")
    return typer.Exit(code)
