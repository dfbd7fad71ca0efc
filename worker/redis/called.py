"""What workers call the Redis that they work for, and which others they know, so that different settings are seen."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from worker.governor import KEY_PREFIX
from worker.redis.connection import Full, get_redis
from worker.redis.patience import waits_for_redis
from worker.settings import Settings

#: Seconds between two notes of a worker, after which one that was not renewed is of no running worker, and for which
#: it is remembered that a Redis was in the settings.
NOTE_INTERVAL_S, RUNNING_S, KEPT_S = 60.0, 150.0, 14 * 86_400.0

_KEY = f"{KEY_PREFIX}homes"
_CALLED, _KNOWN = "called", "known"


@waits_for_redis
def note_names(settings: Settings) -> None:
    """Note what this process calls the Redis that it works for, and the names of all in its settings.

    A full Redis does not take it, and no work waits for that: it is noted again a minute later.
    """
    now = time.time()
    noted = {f"{_CALLED}|{settings.redis_name}": now, **{f"{_KNOWN}|{name}": now for name in settings.redis_names}}
    with suppress(Full), get_redis().pipeline(transaction=False) as pipe:
        pipe.zadd(_KEY, noted)
        pipe.zremrangebyscore(_KEY, "-inf", now - KEPT_S)
        pipe.execute()


def called_here() -> set[str]:
    """Return what running workers call the current Redis."""
    return {name for name, at in _noted(_CALLED).items() if at > time.time() - RUNNING_S}


def known_here() -> dict[str, float]:
    """Return each Redis that workers of the current one had in their settings, and until when (Unix time)."""
    return _noted(_KNOWN)


@waits_for_redis
def _noted(kind: str) -> dict[str, float]:
    found: Any = get_redis().zrange(_KEY, 0, -1, withscores=True)
    split = [(*member.decode().split("|", 1), at) for member, at in found]
    return {name: at for of, name, at in split if of == kind}
