"""What a command says of an error that was to be expected, instead of a traceback."""

from __future__ import annotations

import kombu.exceptions
import redis

from worker.cli.terminal import FAILED, WRONG
from worker.connection import NotNow
from worker.errors import InputError, KlaviyoError, SettingsError, SourceError
from worker.settings import get_settings


def told(error: Exception) -> tuple[str, int] | None:
    """The sentence and the exit code; None where nobody expects such an error."""
    if isinstance(error, InputError | SourceError | SettingsError):
        return str(error), WRONG
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | kombu.exceptions.OperationalError):
        # Among them a call that was not confirmed: at a terminal, what keeps Redis from that tells more.
        return unreachable(error), FAILED
    if isinstance(error, KlaviyoError):
        return str(error), FAILED
    return None


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
