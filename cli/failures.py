"""What a command says of an error that was to be expected, instead of a traceback."""

from __future__ import annotations

import kombu.exceptions
import redis

from cli.terminal import FAILED, WRONG
from worker.connection import unreachable
from worker.errors import InputError, KlaviyoError, SettingsError, SourceError


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
