"""Syncs as they were asked for: several streams of one account, each begun when what it hangs on has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from worker.app import app
from worker.connection import get_redis
from worker.governor import EVEN_IF_FULL
from worker.governor import PREFIX as KEYS
from worker.patience import patiently, published
from worker.place import PREFIX
from worker.writes import write

#: The task that begins the streams of a request which can be begun.
GO_ON = f"{PREFIX}sync_streams"

#: Seconds for which a request is kept.
KEPT = 14 * 86_400

#: Not redis-py's transaction(): it takes a refusal while it watches a key for somebody's change of that key, and tries
#: again without a pause and without an end.
CLAIM = f"""{EVEN_IF_FULL}
if redis.call('HGET', KEYS[1], ARGV[1]) ~= 'wanted' then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], 'running')
return 1
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A sync that was asked for at a time in seconds since 1970.

    Its streams have states: ``wanted``, ``running``, ``done``, or what went wrong.
    """

    id: str
    account: str
    mode: str
    since: str | None
    asked: float
    streams: dict[str, str]

    @property
    def over(self) -> bool:
        """Whether all of its streams have ended."""
        return not {"wanted", "running"} & set(self.streams.values())

    @property
    def failed(self) -> dict[str, str]:
        """The streams that have not been read whole, and why."""
        return {name: state for name, state in self.streams.items() if state not in ("wanted", "running", "done")}


def scheduled(id: str) -> bool:
    """Whether beat has asked for it: then its id is that of a run of an entry (`schedules.guard`)."""
    return "@" in id


def _key(id: str) -> str:
    return f"{KEYS}sync:{id}"


def save(request: Request) -> None:
    """Write down a request; one that is known stays as it is."""
    told = orjson.dumps({"account": request.account, "mode": request.mode, "since": request.since,
                         "asked": request.asked})  # fmt: skip
    key = _key(request.id)

    def unless_known() -> None:
        if get_redis().exists(key):
            return
        states = (word for name, state in request.streams.items() for word in (f"stream:{name}", state))
        write(("HSET", key, "asked", told, *states), ("EXPIRE", key, KEPT))

    patiently(unless_known)


def load(id: str) -> Request | None:
    """A request as it stands."""
    raw: Any = patiently(lambda: get_redis().hgetall(_key(id)))
    if not raw:
        return None
    streams = {
        name.decode().removeprefix("stream:"): state.decode()
        for name, state in raw.items()
        if name.startswith(b"stream:")
    }
    return Request(id, streams=streams, **orjson.loads(raw[b"asked"]))


def note(id: str, stream: str, state: str) -> None:
    """Write down how a stream of a request stands."""
    patiently(lambda: write(("HSET", _key(id), f"stream:{stream}", state)))


def claim(id: str, stream: str) -> bool:
    """Note that a stream that was wanted runs now; False where somebody else was quicker."""
    return bool(patiently(lambda: get_redis().register_script(CLAIM)([_key(id)], [f"stream:{stream}"])))


def ended(account: str, id: str, stream: str, error: str | None) -> None:
    """A stream has been read whole, or has failed: what hangs on it may begin."""
    note(id, stream, error or "done")
    published(lambda: app.send_task(GO_ON, (id,)))
