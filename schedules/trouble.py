"""Whether the store takes what is to be written; where it does not, as on a full disk, that has to be said.

Nothing fails then: the steps of a sync wait, are taken again every few seconds, and go on when there is room. So the
log tells it, again and again while it lasts, and Redis keeps it for the commands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson
from celery.utils.log import get_logger

from schedules.clock import present
from worker.connection import get_redis
from worker.governor import PREFIX
from worker.patience import patiently
from worker.settings import get_settings
from worker.writes import write

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

logger = get_logger(__name__)

KEY = f"{PREFIX}store:trouble"

#: Seconds until a step is taken again that could not write.
AWAY = 5.0

#: Seconds for which trouble is believed in that nobody meets any more, and between two lines of the log about it.
BELIEVED = 60


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the store cannot be written, in the database's words, and since when (seconds since 1970)."""

    reason: str
    since: float

    def __str__(self) -> str:
        return (
            f"The store at {_address()} cannot be written: {self.reason}. Syncs and pushes wait, and go on by "
            "themselves once it can: make room on its disk, or see to its database"
        )


class _Known:
    """What this process knows of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.met = False
        self.told = self.tried = float("-inf")


_known = _Known()


def met(error: DBAPIError) -> str:
    """Note that the store could not be written; why, in a few words."""
    reason, now = str(error.orig).strip().partition("\n")[0].rstrip("."), present().timestamp()
    earlier = patiently(trouble)
    found = Trouble(reason, earlier.since if earlier else now)
    patiently(lambda: write(("SET", KEY, orjson.dumps(asdict(found)), "EX", BELIEVED)))
    with _known.lock:
        _known.met, _known.tried = True, _known.clock()
        if tell := _known.tried - _known.told >= BELIEVED:
            _known.told = _known.tried
    if tell:
        logger.error("%s.", found)
    return f"the store cannot be written: {reason}"


def may_try() -> bool:
    """Whether to write now: while there is trouble, one step of this process tries it in each `AWAY` seconds."""
    with _known.lock:
        now = _known.clock()
        if _known.met and now - _known.tried < AWAY:
            return False
        _known.tried = now
        return True


def overcome() -> None:
    """Note that something was written."""
    with _known.lock:
        if not _known.met:
            return
        _known.met, _known.told = False, float("-inf")
    patiently(lambda: get_redis().delete(KEY))
    logger.warning("The store at %s can be written again; what has waited goes on.", _address())


def trouble() -> Trouble | None:
    """What any process has met, and not overcome.

    Raises:
        redis.RedisError: Redis cannot tell.

    """
    found = get_redis().get(KEY)
    return Trouble(**orjson.loads(found)) if found else None


def _address() -> str:
    from sqlalchemy.engine import make_url

    return make_url(get_settings().store_url).render_as_string(hide_password=True)
