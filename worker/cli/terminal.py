"""What the commands write to: results to standard output, everything said about them to standard error."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import kombu.exceptions
import redis
import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from worker.connection import NotNow
from worker.errors import InputError, KlaviyoError, SettingsError, SourceError
from worker.settings import get_settings

#: Columns where there is no terminal to ask: a pipe or a log takes a table of any width.
WIDE = 160

#: Exit codes: it did not work; it was not tried because the call or the settings are wrong.
FAILED, WRONG = 1, 2


def stdout(*, soft_wrap: bool = False) -> Console:
    """Where results go. Made anew for each command, so that it is the stream of this moment."""
    made = _console(soft_wrap=soft_wrap)
    return made if made.is_terminal or soft_wrap else _console(width=WIDE)


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
    """One sentence beside the results."""
    stderr(soft_wrap=True).print(text, style=style)


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


class Commands(TyperGroup):
    """The commands, with every expected error told as one sentence instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (InputError, SourceError, SettingsError) as error:
            raise stop(str(error), WRONG) from None
        except (redis.ConnectionError, redis.TimeoutError, kombu.exceptions.OperationalError) as error:
            # Among them a call that was not confirmed: at a terminal, what keeps Redis from that tells more.
            raise stop(unreachable(error)) from None
        except KlaviyoError as error:
            raise stop(str(error)) from None


def unreachable(error: Exception) -> str:
    """Why nothing works without Redis, and what to do."""
    # kombu wraps what Redis has said.
    why = error.__cause__ if isinstance(error.__cause__, redis.RedisError) else error
    if isinstance(why, NotNow):
        return f"{why}. This is about {address()}."
    if isinstance(why, redis.AuthenticationError):
        return f"{address()} refuses the password in KLAVIYO_REDIS_URL."
    return (
        f"Redis cannot be reached at {address()} ({type(why).__name__}): "
        "start it, run `klaviyo up` in this folder, or set KLAVIYO_REDIS_URL."
    )


def address() -> str:
    """Where Redis is, without the password that its address may carry."""
    return get_settings().redis.url
