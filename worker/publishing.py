"""Publishing something in the middle of other work, however long Redis is away: there is no other place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import redis
from kombu.exceptions import OperationalError

from worker.redis.connection import AWAY
from worker.redis.patience import waits_for_redis

T = TypeVar("T")


@waits_for_redis
def published(publish: Callable[[], T]) -> T:
    """Publish something and return what that returns.

    Raises:
        LeftBehind: the worker is stopping.
        redis.ConnectionError, redis.TimeoutError: in a process that is no worker, after a minute.

    """
    try:
        return publish()
    except OperationalError as error:
        if isinstance(error.__cause__, LookupError):
            raise  # kombu takes every KeyError, that of an unknown compression too, for a lost connection
        if isinstance(error.__cause__, AWAY):
            raise error.__cause__ from None
        raise redis.ConnectionError(str(error)) from None
