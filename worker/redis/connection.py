"""How this process speaks to Redis: one client of our own, and one reading of its refusals for every client.

Redis may be away, loading, full, a replica until a failover ends, busy, or unable to write to its disk. redis-py has
errors of several families for these; kombu and Celery wait for one family only and end at the others. So `Parser`
makes each a `redis.ConnectionError`: what everybody takes for a reason to wait and to connect anew. Nothing connects at
import.
"""

from __future__ import annotations

import os
import re
import threading
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import DefaultParser
from redis.retry import Retry

from worker.one_per_process import one_per_redis
from worker.redis.address import RedisAddress
from worker.redis.nodes import connection_class
from worker.settings import get_settings

#: Seconds to wait for an answer. Nothing that we ask for takes a tenth of it; a connection whose packets are dropped
#: without a reset shows by nothing else.
ANSWER_TIMEOUT_S = 5.0

#: The oldest Redis that will do.
MINIMUM_VERSION = (6, 2)


class NotNow(redis.ConnectionError):
    """Redis has answered, and cannot serve this command now; it may later."""


class Full(NotNow):
    """Redis has no memory left, and evicts nothing."""


class NotReplicated(NotNow):
    """Too few replicas have confirmed a write in time; the primary has it."""

    def __init__(self, confirmed: int, wanted: int, seconds: float, what: str = "") -> None:
        super().__init__(confirmed, wanted, seconds, what)
        self._said = confirmed, wanted, seconds
        self._what = what

    def of_publication(self, taken_back: bool, several: bool = False) -> NotReplicated:
        """The same of a task that was published, or of several; ``taken_back``: they are no longer there."""
        left = "a worker has it already, and only a failover now would lose it"
        if several:
            left = "workers have some of these tasks already, and only a failover now would lose any"
        return NotReplicated(*self._said, "nothing was queued" if taken_back else left)

    def __str__(self) -> str:
        confirmed, wanted, seconds = self._said
        said = f"{confirmed} of {wanted} replicas of Redis have confirmed the write within {seconds:.1f} s"
        return f"{said}: {self._what}" if self._what else said


#: What says that Redis cannot take a command now, but will.
AWAY = (redis.ConnectionError, redis.TimeoutError)

_SAID = {
    "OOM": "Redis is full: give it more memory, or let the workers work off what waits",
    "READONLY": "this Redis is a replica: a failover is under way, or the address is not the primary's",
    "MISCONF": "Redis cannot write to its disk",
    "BUSY": "Redis is busy with somebody's script",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "this replica has lost its primary",
    "NOREPLICAS": "Redis has fewer replicas than it wants for a write",
    "UNBLOCKED": "Redis has become a replica",
    "NOPERM": "the user of this connection is not allowed to do this",
    "MOVED": "another node of the cluster has our keys, and the address must begin with cluster:// or clusters://",
    "ASK": "our keys are moving to another node of the cluster",
    "TRYAGAIN": "our keys are moving to another node of the cluster",
    "CLUSTERDOWN": "the cluster serves nobody",
}
#: At the beginning, or within what Redis 6 says of an error inside a script.
_CODE = re.compile(rf"(?:^|-)({'|'.join(_SAID)}) ")


class Parser(DefaultParser):  # type: ignore[valid-type,misc,unused-ignore]
    """redis-py's parser, with one family of errors for all that passes by itself."""

    @classmethod
    def parse_error(cls, response: str) -> Any:
        """The exception that stands for an error reply."""
        if found := _CODE.search(response):
            said = re.sub(r"\.? script: .*", "", response.partition(found[1])[2].strip())
            kind = Full if found[1] == "OOM" else NotNow
            return kind(f"{_SAID[found[1]]} ({found[1]} {said})")
        return super().parse_error(response)


#: Seconds, where the address sets no others: to connect, for an answer, and without use until a connection is tried.
WAITING = {"socket_connect_timeout": ANSWER_TIMEOUT_S, "socket_timeout": ANSWER_TIMEOUT_S, "health_check_interval": 30}


@one_per_redis
def get_redis() -> redis.Redis:
    """A thread-safe client; its connections are made at the first command."""
    return _client({})


@one_per_redis
def get_publisher() -> redis.Redis:
    """The client that callers publish with: it gives up in time for a second try within their patience."""
    return _client(brief(get_settings().redis))


def unlock(pool: Any) -> None:
    """Let redis-py leave a parent's connections, which it does at the next command, and takes a lock for."""
    pool._lock, pool._fork_lock = threading.RLock(), threading.RLock()


def _leave_to_parent() -> None:
    """Keep the clients in a forked child; their locks may be those of threads that there are in the parent only."""
    for client in (*get_redis.made(), *get_publisher.made()):
        unlock(client.connection_pool)


os.register_at_fork(after_in_child=_leave_to_parent)


def brief(address: RedisAddress) -> dict[str, float]:
    """The timeouts of a publication. A look at the accounts, a try, two for a new connection, and a second try are all
    that can go wrong.
    """
    seconds = get_settings().publish_timeout / 5
    return {
        name: min(seconds, address.timing.get(name, seconds)) for name in ("socket_timeout", "socket_connect_timeout")
    }


def _client(timeouts: dict[str, float]) -> redis.Redis:
    """A client whose commands are sent once: who repeats one knows whether that does harm."""
    return client_of(get_settings().redis, timeouts)


def client_of(address: RedisAddress, timeouts: dict[str, float] | None = None) -> redis.Redis:
    """A client of the Redis at an address."""
    options: dict[str, Any] = {**WAITING, **address.keywords, **(timeouts or {}), **connecting(address)}
    return redis.Redis.from_url(address.url, **options, retry=Retry(NoBackoff(), 0))


def connecting(address: RedisAddress) -> dict[str, Any]:
    """How connections to an address are made, whichever library's client makes them."""
    found = connection_class(address)
    return {"parser_class": Parser, **({"connection_class": found} if found else {})}


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
    where = get_settings().redis
    return where.shown if where.nodes else where.url
