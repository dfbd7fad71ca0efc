"""Outages of the store, such as a full disk: whether to write now, and who is told.

Nothing fails during one: the steps of a sync wait, are retried every few seconds, and continue when the store can be
written again. So the log repeats it while it lasts, and Redis keeps it for the commands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson
from celery.utils.log import get_logger

from schedules.clock import current_time
from worker.governor import KEY_PREFIX
from worker.redis.atomic_writes import write
from worker.redis.connection import get_redis
from worker.redis.patience import waits_for_redis
from worker.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

logger = get_logger(__name__)

KEY = f"{KEY_PREFIX}store:outage"

#: Seconds until a step that could not write is retried.
RETRY_DELAY_S = 5.0

#: Seconds after which an outage that nothing confirms is forgotten. Its log lines are as far apart.
OUTAGE_TTL_S = 60


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the store cannot be written, in the database's words, and since when (Unix time)."""

    reason: str
    since: float

    def __str__(self) -> str:
        return (
            f"The store at {_address()} cannot be written: {self.reason}. Syncs and pushes wait, and go on by "
            "themselves once it can: free some space on its disk, or repair its database"
        )


class _Known:
    """What this process knows of the outage."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.failing = False
        self.logged_at = self.tried_at = float("-inf")


_known = _Known()


def note_failure(error: DBAPIError) -> str:
    """Record that the store could not be written; return why, in a few words."""
    reason, now = str(error.orig).strip().partition("\n")[0].rstrip("."), current_time().timestamp()
    earlier = current_outage()
    found = Outage(reason, earlier.since if earlier else now)
    write(("SET", KEY, orjson.dumps(asdict(found)), "EX", OUTAGE_TTL_S))
    with _known.lock:
        _known.failing, _known.tried_at = True, _known.clock()
        if log := _known.tried_at - _known.logged_at >= OUTAGE_TTL_S:
            _known.logged_at = _known.tried_at
    if log:
        logger.error("%s.", found)
    return f"the store cannot be written: {reason}"


def may_write() -> bool:
    """Return True if this step may write: during an outage, one step of this process tries every `RETRY_DELAY_S`."""
    with _known.lock:
        now = _known.clock()
        if _known.failing and now - _known.tried_at < RETRY_DELAY_S:
            return False
        _known.tried_at = now
        return True


def note_success() -> None:
    """Record that something was written: an outage is over."""
    with _known.lock:
        if not _known.failing:
            return
        _known.failing, _known.logged_at = False, float("-inf")
    _clear_outage()
    logger.warning("The store at %s can be written again; whatever was waiting continues.", _address())


@waits_for_redis
def current_outage() -> Outage | None:
    """Return the outage that some process has met and none has seen end; None if there is none.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    found = get_redis().get(KEY)
    return Outage(**orjson.loads(found)) if found else None


@waits_for_redis
def _clear_outage() -> None:
    get_redis().delete(KEY)


def _address() -> str:
    from sqlalchemy.engine import make_url

    return make_url(get_settings().store_url).render_as_string(hide_password=True)
