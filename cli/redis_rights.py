"""The rights that a user of Redis needs: what this project and its libraries ask Redis for, and nothing more.

A test runs everything with exactly these rights, and fails if one was not used. Pure.
"""

from __future__ import annotations

from worker.redis.address import RedisAddress
from worker.redis.cluster_keys import TAG

_COMMANDS = """
brpop client|setinfo decrby del eval evalsha exec exists expire get getdel hdel hello hexists hget hgetall hincrby
hkeys hlen hmget hrandfield hscan hset hsetnx hstrlen hvals incr incrby info lindex llen lpop lpush lrange lrem ltrim
mget multi pexpire ping psubscribe pttl publish punsubscribe rpop rpush sadd script|exists script|load set sismember
smembers srem subscribe time unsubscribe zadd zcard zcount zmscore zrange zrangebyscore zrem zremrangebyscore
zrevrange zrevrangebyscore zscore
"""

#: The commands that are called, also by scripts.
COMMANDS = _COMMANDS.split()

#: Besides: in a cluster; if replicas have to confirm a write; and if a replica may take the primary's place.
OF_CLUSTER, OF_REPLICAS, OF_FAILOVER = ["cluster|slots"], ["wait"], ["zincrby"]

#: The keys: ours, Celery's results and queues for events, kombu's exchanges, and the queues of remote control.
KEYS = ["klaviyo*", "celery*", "_kombu*", "*.celery.pidbox*"]

#: The channels: those of results that a caller waits for, and those of a database's remote control and events. Redis
#: compares the pattern of a subscription letter by letter.
CHANNELS = ["celery-task*-meta-*", "/{db}.celery.pidbox", "/{db}.celeryev/*", "/{db}.celeryev/worker.*"]


def acl(address: RedisAddress, user: str = "klaviyo") -> str:
    """Return the command by which an administrator makes such a user; only the password has to be put in."""
    tag = TAG if address.cluster else ""
    extra = [*(OF_CLUSTER if address.cluster else []), *(OF_REPLICAS if address.replicas else [])]
    extra += OF_FAILOVER if address.nodes or address.replicas else []
    words = [
        *(f"~{tag}{key}" for key in KEYS),
        *(f"&{tag}{channel.format(db=address.db)}" for channel in CHANNELS),
        "-@all",
        *(f"+{command}" for command in sorted([*COMMANDS, *extra])),
    ]
    return f"ACL SETUSER {user} reset on >PASSWORD {' '.join(words)}"
