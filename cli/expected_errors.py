"""What a command prints for an expected error, instead of a traceback."""

from __future__ import annotations

import kombu.exceptions
import redis

from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE
from worker.errors import InputError, KlaviyoError, SettingsError, SourceError
from worker.redis.connection import unreachable


def describe_error(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and the exit code for an error; None if it was not expected."""
    if isinstance(error, InputError | SourceError | SettingsError):
        return str(error), EXIT_USAGE
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | kombu.exceptions.OperationalError):
        # This includes a call that was not confirmed: at a terminal, the reason that Redis gives says more.
        return unreachable(error), EXIT_FAILED
    if isinstance(error, KlaviyoError):
        return str(error), EXIT_FAILED
    return None
