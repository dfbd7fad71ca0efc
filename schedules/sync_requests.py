"""Requested syncs: several streams of one account, each started once its parent stream has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from worker.account_and_lane import TASK_PREFIX
from worker.app import app
from worker.governor import EVEN_IF_FULL, KEY_PREFIX
from worker.publishing import published
from worker.redis.atomic_writes import write
from worker.redis.connection import get_redis
from worker.redis.patience import waits_for_redis

#: The task that starts the streams of a request that are ready.
START_STREAMS = f"{TASK_PREFIX}sync_streams"

#: How long a request is kept, in seconds.
REQUEST_TTL_S = 14 * 86_400

#: Not redis-py's transaction(): if Redis refuses a command while a key is watched, it takes that for a change of the
#: key, and tries again without a pause and without an end.
CLAIM_LUA = f"""{EVEN_IF_FULL}
if redis.call('HGET', KEYS[1], ARGV[1]) ~= 'wanted' then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], 'running')
return 1
"""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A sync that was requested at the Unix time ``asked``.

    ``streams`` holds the state of each: ``wanted``, ``running``, ``done``, or the error with which it failed.
    """

    id: str
    account: str
    mode: str
    since: str | None
    asked: float
    streams: dict[str, str]

    @property
    def is_over(self) -> bool:
        """Return True if all of its streams have ended."""
        return not {"wanted", "running"} & set(self.streams.values())

    @property
    def failed(self) -> dict[str, str]:
        """Return the streams that failed, and why."""
        return {name: state for name, state in self.streams.items() if state not in ("wanted", "running", "done")}


def _key(id: str) -> str:
    return f"{KEY_PREFIX}sync:{id}"


@waits_for_redis
def save(request: SyncRequest) -> None:
    """Save a request; one that is saved already stays as it is."""
    asked = orjson.dumps({"account": request.account, "mode": request.mode, "since": request.since,
                         "asked": request.asked})  # fmt: skip
    key = _key(request.id)
    if get_redis().exists(key):
        return
    states = (word for name, state in request.streams.items() for word in (f"stream:{name}", state))
    write(("HSET", key, "asked", asked, *states), ("EXPIRE", key, REQUEST_TTL_S))


@waits_for_redis
def load(id: str) -> SyncRequest | None:
    """Return a request in its present state; None if it is unknown or has expired."""
    raw: Any = get_redis().hgetall(_key(id))
    if not raw:
        return None
    streams = {
        name.decode().removeprefix("stream:"): state.decode()
        for name, state in raw.items()
        if name.startswith(b"stream:")
    }
    return SyncRequest(id, streams=streams, **orjson.loads(raw[b"asked"]))


def set_state(id: str, stream: str, state: str) -> None:
    """Set the state of one stream of a request."""
    write(("HSET", _key(id), f"stream:{stream}", state))


@waits_for_redis
def claim(id: str, stream: str) -> bool:
    """Mark a wanted stream as running. Return False if another process was quicker."""
    return bool(get_redis().register_script(CLAIM_LUA)([_key(id)], [f"stream:{stream}"]))


def start_streams(id: str) -> None:
    """Have the streams of a request started that are ready; harmless if there are none, and to repeat."""
    published(lambda: app.send_task(START_STREAMS, (id,)))
