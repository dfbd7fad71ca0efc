"""What the commands write to: results to standard output, everything said about them to standard error."""

from __future__ import annotations

import json
from typing import Any

import kombu.exceptions
import redis
import typer
from rich.console import Console
from typer.core import TyperGroup

from worker.connection import NotNow
from worker.errors import InputError, KlaviyoError, SettingsError, SourceError
from worker.settings import get_settings

#: Columns where there is no terminal to ask: a pipe or a log takes a table of any width.
WIDE = 160

#: Exit codes: it did not work; it was not tried because the call or the settings are wrong.
FAILED, WRONG = 1, 2


def stdout() -> Console:
    """Where results go. Made anew for each command, so that it is the stream of this moment."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def say(text: str, style: str = "") -> None:
    """One sentence beside the results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, style=style, markup=False)


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
