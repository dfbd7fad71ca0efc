"""The rights that a user of Redis needs: what this project and its libraries ask Redis for, and nothing more.

A test runs everything with exactly these, and looks for one that nobody has used. Pure.
"""

from __future__ import annotations

from worker.cluster_keys import TAG
from worker.redis_address import RedisAddress

_COMMANDS = """
brpop client|setinfo del eval evalsha exec exists expire get hdel hello hexists hget hgetall hincrby hkeys hlen hmget
hrandfield hscan hset hsetnx hstrlen info lindex llen lpop lpush lrange lrem ltrim mget multi pexpire ping psubscribe
publish punsubscribe rpop rpush sadd script|load set sismember smembers srem subscribe time unsubscribe zadd zcard
zcount zincrby zmscore zrange zrangebyscore zrem zremrangebyscore zscore
"""

#: What is called, by scripts too.
COMMANDS = _COMMANDS.split()

#: Beside these, with Sentinels and in a cluster, and where replicas have to confirm a write.
OF_CLUSTER, OF_REPLICAS = ["cluster|slots"], ["wait"]

#: The keys: ours, the results of Celery, and the queues and exchanges of kombu.
KEYS = ["klaviyo", "klaviyo.*", "klaviyo:*", "celery", "celery-task*-meta-*", "_kombu.*", "*.reply.celery.pidbox*"]

#: The channels: Celery's remote control and events of each database, and a result that somebody waits for.
CHANNELS = ["/*", "celery-task*-meta-*"]


def acl(address: RedisAddress, user: str = "klaviyo") -> str:
    """The command by which an administrator makes such a user at this Redis; only the password has to be put in."""
    tag = TAG if address.cluster else ""
    extra = [*(OF_CLUSTER if address.cluster else []), *(OF_REPLICAS if address.replicas else [])]
    words = [
        *(f"~{tag}{key}" for key in KEYS),
        *(f"&{tag}{channel}" for channel in CHANNELS),
        "-@all",
        *(f"+{command}" for command in sorted([*COMMANDS, *extra])),
    ]
    return f"ACL SETUSER {user} reset on >PASSWORD {' '.join(words)}"
