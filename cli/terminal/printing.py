"""How commands print: results to standard output, everything about them to standard error."""

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

#: The width without a terminal, unless COLUMNS is set: a pipe or a log takes a table of any width.
PIPE_WIDTH = 160

_TRAILING_BLANKS = re.compile(r" +$", re.MULTILINE)

#: Exit codes: the command failed; it was not tried because the call or the settings are wrong; Ctrl-C has ended it, as
#: a shell says that.
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def stdout(*, soft_wrap: bool = False) -> Console:
    """Return the console for results. It is made each time, so that it writes to the current `sys.stdout`."""
    made = _console(soft_wrap=soft_wrap)
    if made.is_terminal or soft_wrap:
        return made
    columns = os.environ.get("COLUMNS", "")
    return _console(width=int(columns) if columns.isdecimal() and int(columns) else PIPE_WIDTH, file=Trimmed(made.file))


class Trimmed:
    """A stream that drops trailing blanks: Rich pads each line with them up to the console's width."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text without trailing blanks."""
        return self._stream.write(_TRAILING_BLANKS.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stderr(*, soft_wrap: bool = False) -> Console:
    """Return the console for everything that is said about the results."""
    return _console(stderr=True, soft_wrap=soft_wrap)


def _console(**options: Any) -> Console:
    """Make a console that prints every text as it is.

    Rich would interpret markup and emoji: a path like ``[/data/x.csv]`` would end a command, ``:on:`` become an arrow.
    Much of what is printed comes from files, from Klaviyo or from users. So no command makes its own console.
    """
    return Console(highlight=False, markup=False, emoji=False, **options)


def say(text: str, style: str = "") -> None:
    """Print a sentence to standard error: in a terminal it is wrapped between words, in a log it is one line."""
    console = stderr()
    console.print(text, style=style, soft_wrap=not console.is_terminal)


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done on standard error while it lasts; call the given function to change the text."""
    # Rich's status would take a plain string for markup, whatever its console says.
    with stderr().status(Text(text)) as status:
        yield lambda text: status.update(Text(text))


def print_json(value: Any) -> None:
    """Print a result as JSON, for other programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def stop(sentence: str, code: int = EXIT_FAILED) -> typer.Exit:
    """Print why a command cannot go on; raise what this returns."""
    say(sentence, "red")
    return typer.Exit(code)
