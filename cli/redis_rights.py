"""The rights that a user of Redis needs: what this project and its libraries ask Redis for, and nothing more.

A test runs everything with exactly these, and looks for one that nobody has used. Pure.
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

#: What is called, by scripts too.
COMMANDS = _COMMANDS.split()

#: Beside these: in a cluster, where replicas have to confirm a write, and where one may take the primary's place.
OF_CLUSTER, OF_REPLICAS, OF_FAILOVER = ["cluster|slots"], ["wait"], ["zincrby"]

#: The keys: ours, Celery's results and queues for events, kombu's exchanges, and the queues of remote control.
KEYS = ["klaviyo*", "celery*", "_kombu*", "*.celery.pidbox*"]

#: The channels: a result that somebody waits for, and those of a database's remote control and events. Redis compares
#: the pattern that somebody listens to letter by letter.
CHANNELS = ["celery-task*-meta-*", "/{db}.celery.pidbox", "/{db}.celeryev/*", "/{db}.celeryev/worker.*"]


def acl(address: RedisAddress, user: str = "klaviyo") -> str:
    """The command by which an administrator makes such a user at this Redis; only the password has to be put in."""
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
