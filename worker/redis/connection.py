"""How this process speaks to Redis: one client of our own, and one reading of its refusals for every client.

Redis may be away, loading, full, a replica until a failover ends, busy, or unable to write to its disk. redis-py has
errors of several families for these; kombu and Celery wait after those of one family, and end after the others. So
`Parser` turns each into a `redis.ConnectionError`, after which everybody waits and connects anew. Nothing connects at
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
from worker.redis.elsewhere import MAIN, redis_of
from worker.redis.nodes import connection_class
from worker.settings import get_settings

#: Seconds to wait for an answer. Nothing that we ask for takes a tenth of that, and nothing else shows that the packets
#: of a connection are dropped.
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
        """Return the same for a published task, or for several; ``taken_back``: they are no longer in Redis."""
        left = "a worker has it already, and only a failover now would lose it"
        if several:
            left = "workers have some of these tasks already, and only a failover now would lose any"
        return NotReplicated(*self._said, "nothing was queued" if taken_back else left)

    def __str__(self) -> str:
        confirmed, wanted, seconds = self._said
        said = f"{confirmed} of {wanted} replicas of Redis have confirmed the write within {seconds:.1f} s"
        return f"{said}: {self._what}" if self._what else said


#: The errors that mean: Redis cannot take a command now, but will later.
AWAY = (redis.ConnectionError, redis.TimeoutError)

_SAID = {
    "OOM": "Redis is full: give it more memory, or let the workers work off what waits",
    "READONLY": "this Redis is a replica: a failover is under way, or the address is not the primary's",
    "MISCONF": "Redis cannot write to its disk",
    "BUSY": "Redis is busy with another program's script",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "this replica has lost its primary",
    "NOREPLICAS": "Redis has fewer replicas than its min-replicas-to-write",
    "UNBLOCKED": "Redis has become a replica",
    "NOPERM": "the user of this connection is not allowed to do this",
    "MOVED": "another node of the cluster has our keys, and the address must begin with cluster:// or clusters://",
    "ASK": "our keys are moving to another node of the cluster",
    "TRYAGAIN": "our keys are moving to another node of the cluster",
    "CLUSTERDOWN": "the cluster is down",
}
#: At the beginning, or inside what Redis 6 says about an error in a script.
_CODE = re.compile(rf"(?:^|-)({'|'.join(_SAID)}) ")


class Parser(DefaultParser):  # type: ignore[valid-type,misc,unused-ignore]
    """redis-py's parser, with one family of errors for everything that passes by itself."""

    @classmethod
    def parse_error(cls, response: str) -> Any:
        """Return the exception for an error reply."""
        if found := _CODE.search(response):
            said = re.sub(r"\.? script: .*", "", response.partition(found[1])[2].strip())
            kind = Full if found[1] == "OOM" else NotNow
            return kind(f"{_SAID[found[1]]} ({found[1]} {said})")
        return super().parse_error(response)


#: Seconds, unless the address gives others: to connect, for an answer, and of disuse until a connection is tested.
WAITING = {"socket_connect_timeout": ANSWER_TIMEOUT_S, "socket_timeout": ANSWER_TIMEOUT_S, "health_check_interval": 30}


@one_per_redis
def get_redis() -> redis.Redis:
    """Return a thread-safe client; it connects at the first command."""
    return _client({})


@one_per_redis
def get_publisher() -> redis.Redis:
    """Return the client that callers publish with: it gives up early enough for them to try again."""
    return _client(brief(get_settings().redis))


def unlock(pool: Any) -> None:
    """Give a pool in a forked child new locks: redis-py takes them when it leaves the parent's connections."""
    pool._lock, pool._fork_lock = threading.RLock(), threading.RLock()


def _leave_to_parent() -> None:
    """Keep the clients in a forked child: their locks may be held by threads that exist in the parent only."""
    for client in (*get_redis.made(), *get_publisher.made()):
        unlock(client.connection_pool)


os.register_at_fork(after_in_child=_leave_to_parent)


def brief(address: RedisAddress) -> dict[str, float]:
    """Return the timeouts of a publication, each a fifth of what all may take: a look at the accounts, a try, two for a
    new connection, and a second try.
    """
    seconds = get_settings().publish_timeout / 5
    return {
        name: min(seconds, address.timing.get(name, seconds)) for name in ("socket_timeout", "socket_connect_timeout")
    }


def _client(timeouts: dict[str, float]) -> redis.Redis:
    """A client that sends each command once: only whoever calls it knows whether repeating does harm."""
    return client_of(get_settings().redis, timeouts)


def client_of(address: RedisAddress, timeouts: dict[str, float] | None = None) -> redis.Redis:
    """Return a client of the Redis at an address."""
    options: dict[str, Any] = {**WAITING, **address.keywords, **(timeouts or {}), **connecting(address)}
    return redis.Redis.from_url(address.url, **options, retry=Retry(NoBackoff(), 0))


def connecting(address: RedisAddress) -> dict[str, Any]:
    """Return the options by which any library's client connects to an address as it has to."""
    found = connection_class(address)
    return {"parser_class": Parser, **({"connection_class": found} if found else {})}


def unreachable(error: Exception) -> str:
    """Return why Redis cannot be used, and what to do."""
    if isinstance(_said_by_redis(error), NotNow | redis.AuthenticationError):
        return f"{reason_away(error)}."
    return f"{reason_away(error)}: start it, run `klaviyo up` in this folder, or set {redis_variable(_name(error))}."


def reason_away(error: Exception) -> str:
    """Return why a Redis cannot be used, and which one that is: a sentence without its full stop."""
    name, why = _name(error), _said_by_redis(error)
    if isinstance(why, NotNow):
        return f"{why}; this is about {address(name)}"
    if isinstance(why, redis.AuthenticationError):
        return f"{address(name)} refuses the password in {redis_variable(name)}"
    return f"Redis cannot be reached at {address(name)} ({type(why).__name__})"


def _name(error: Exception) -> str:
    return redis_of(error) or get_settings().redis_name


def redis_variable(name: str) -> str:
    """Return the environment variable that says where a Redis is."""
    return "KLAVIYO_REDIS_URL" if name == MAIN else f"KLAVIYO_REDIS_URLS__{name.upper().replace('-', '_')}"


def _said_by_redis(error: Exception) -> BaseException:
    """What Redis has said; kombu wraps that."""
    return error.__cause__ if isinstance(error.__cause__, redis.RedisError) else error


def address(name: str | None = None) -> str:
    """Return where a Redis is, without the password that its address may carry; without a name, the current one."""
    where = get_settings().redis_called(name) if name else get_settings().redis
    return where.shown if where.nodes else where.url
