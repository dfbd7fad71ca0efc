"""Everything that a deployment keeps in Redis moves to another Redis, which may have Sentinels or be a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import redis

from cli.redis_rights import KEYS
from worker.errors import SettingsError
from worker.governor import KEY_PREFIX

#: Keys that are copied in one round trip.
KEYS_PER_BATCH = 200

#: Keys that hold no work: they are there once a worker or a command has connected.
EMPTY = {
    f"{KEY_PREFIX}{name}".encode()
    for name in ("born", "history", "alive", "alone", "confirmed", "slots", "workers", "homes")
}


def move(old: redis.Redis, new: redis.Redis) -> int:
    """Move every key of ours, with what is left of its lifetime. Return how many there were.

    The old keys are deleted once all have been copied, so that an interrupted move can be begun again.

    Raises:
        SettingsError: a worker runs at either of them, or the new one has work of its own or takes no copies.

    """
    for where, client in (("the old", old), ("the new", new)):
        if names := sorted(running_workers(client)):
            raise SettingsError(f"workers are running at {where} Redis: stop them first ({', '.join(names)})")
    keys, there = sorted(our_keys(old)), set(our_keys(new)) - EMPTY
    if there - set(keys):
        raise SettingsError(f"the new Redis already has {len(there)} keys of a deployment: choose an empty one")
    left = iter(keys)
    while batch := list(islice(left, KEYS_PER_BATCH)):
        _copy(old, new, batch)
    left = iter(keys)
    while batch := list(islice(left, KEYS_PER_BATCH)):
        old.delete(*batch)
    return len(keys)


def running_workers(client: redis.Redis) -> set[str]:
    """Return the workers that were heard of lately."""
    now: Any = client.time()
    workers: Any = client.hgetall(f"{KEY_PREFIX}workers")
    return {name.decode() for name, said in workers.items() if int(said.partition(b"|")[0]) > now[0] * 1000}


def our_keys(client: redis.Redis) -> Iterator[bytes]:
    """Yield every key of ours."""
    for pattern in KEYS:
        yield from client.scan_iter(match=pattern, count=1_000)


def _copy(old: redis.Redis, new: redis.Redis, keys: list[bytes]) -> None:
    reading = old.pipeline(transaction=False)
    for key in keys:
        reading.dump(key)
        reading.pttl(key)
    copies = iter(reading.execute())
    writing = new.pipeline(transaction=False)
    for key in keys:
        value, ttl = next(copies), next(copies)
        if value is not None:
            writing.restore(key, max(0, ttl), value, replace=True)
    try:
        writing.execute()
    except redis.ResponseError:  # whose text has a part of the value
        raise SettingsError(
            "the new Redis does not take copies of the old one's keys: its version must not be lower"
        ) from None
