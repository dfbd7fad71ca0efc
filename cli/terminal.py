"""What the commands write to: results to standard output, everything said about them to standard error."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

import typer
from rich.console import Console
from rich.text import Text

#: Columns where there is no terminal to ask and COLUMNS is not set: a pipe or a log takes a table of any width.
WIDE = 160

_AT_LINE_ENDS = re.compile(r" +$", re.MULTILINE)

#: Exit codes: it did not work; it was not tried because the call or the settings are wrong.
FAILED, WRONG = 1, 2


def stdout(*, soft_wrap: bool = False) -> Console:
    """Where results go. Made anew for each command, so that it is the stream of this moment."""
    made = _console(soft_wrap=soft_wrap)
    if made.is_terminal or soft_wrap:
        return made
    told = os.environ.get("COLUMNS", "")
    return _console(width=int(told) if told.isdecimal() and int(told) else WIDE, file=Trimmed(made.file))


class Trimmed:
    """A stream that gets no blanks at the end of a line; Rich fills each with them up to the console's width."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it without them."""
        return self._stream.write(_AT_LINE_ENDS.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stderr(*, soft_wrap: bool = False) -> Console:
    """Where everything goes that is said about the results."""
    return _console(stderr=True, soft_wrap=soft_wrap)


def _console(**options: Any) -> Console:
    """A console that takes every text as it is.

    Rich would look for markup and emoji in it: a path like ``[/data/x.csv]`` ends a command, ``:on:`` becomes an arrow.
    What is told here comes from files, from Klaviyo, from users. So no command makes a console of its own.
    """
    return Console(highlight=False, markup=False, emoji=False, **options)


def say(text: str, style: str = "") -> None:
    """One sentence beside the results: a terminal gets lines that end between words, a log gets one."""
    console = stderr()
    console.print(text, style=style, soft_wrap=not console.is_terminal)


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """What is under way, told beside the results while it lasts; call what this gives where the text changes."""
    # A bare text would be markup to Rich's status, whatever its console says.
    with stderr().status(Text(text)) as status:
        yield lambda text: status.update(Text(text))


def print_json(value: Any) -> None:
    """A result for other programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def stop(sentence: str, code: int = FAILED) -> typer.Exit:
    """The end of a command that cannot go on; raise it."""
    say(sentence, "red")
    return typer.Exit(code)
