"""Where tasks are: between being published and being done, each is somewhere."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from worker.tiers import DEFAULT_QUEUE, QUEUES

READY = ("SUCCESS", "FAILURE")


#: Where a task can be, from its waiting list to its end.
PLACES = ("waiting", "later", "queued", "unacked", "done")


@dataclass(frozen=True)
class Whereabouts:
    """Where every task is at one moment."""

    waiting: frozenset[str]
    later: frozenset[str]
    queued: frozenset[str]
    unacked: frozenset[str]
    done: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.waiting | self.later | self.queued | self.unacked | self.done

    def __str__(self) -> str:
        return ", ".join(f"{len(getattr(self, name))} {name}" for name in PLACES)

    def of(self, task_id: str) -> str:
        """Where one task is; in more than one place, where it has been published or delivered more than once."""
        return " and ".join(name for name in PLACES if task_id in getattr(self, name)) or "nowhere"


def whereabouts(client: Any, published: Collection[str]) -> Whereabouts:
    """Read every place a task can be in, in one transaction."""
    ids = sorted(published)
    while True:
        lines, riding = sorted(client.hkeys("klaviyo:lines")), sorted(client.hkeys("klaviyo:riding"))
        with client.pipeline(transaction=True) as pipe:
            pipe.hkeys("klaviyo:lines")
            pipe.hkeys("klaviyo:riding")
            for line in lines:
                pipe.lrange(f"klaviyo:now:{line}", 0, -1)
                pipe.lrange(f"klaviyo:bulk:{line}", 0, -1)
                pipe.zrange(f"klaviyo:later:{line}", 0, -1)
            for queue in (DEFAULT_QUEUE, *QUEUES):
                pipe.lrange(queue, 0, -1)
            for each in riding:
                pipe.lrange(f"klaviyo:riders:{each}", 0, -1)
            pipe.hvals("klaviyo:unacked")
            pipe.mget([f"celery-task-meta-{each}" for each in ids] or ["-"])
            found = pipe.execute()
        if sorted(found[0]) == lines and sorted(found[1]) == riding:
            break  # else a line was born between the two reads, or a request that carries several of its tasks
    waiting, later, queued = set(), set(), set()
    for place in range(len(lines)):
        now, bulk, at_a_time = found[2 + 3 * place : 5 + 3 * place]
        waiting |= {*now, *bulk}
        later |= {item.split("|", 1)[1].removeprefix("^") for item in at_a_time}
    queues = 2 + 3 * len(lines) + 1 + len(QUEUES)
    for messages in found[2 + 3 * len(lines) : queues]:
        queued |= {json.loads(message)["headers"]["id"] for message in messages}
    for riders in found[queues:-2]:
        queued |= {rider.partition("\n")[0] for rider in riders}
    unacked = {json.loads(entry)[0]["headers"]["id"] for entry in found[-2]}
    ended = zip(ids, found[-1], strict=False)
    done = {each for each, meta in ended if meta and json.loads(meta)["status"] in READY}
    return Whereabouts(*(frozenset(each) for each in (waiting, later, queued, unacked, done)))


def assert_nothing_lost(client: Any, published: Collection[str]) -> Whereabouts:
    """Conservation: every published task is somewhere."""
    published = frozenset(published)
    places = whereabouts(client, published)
    lost = published - places.all
    assert not lost, f"{len(lost)} of {len(published)} tasks are nowhere ({places}): {sorted(lost)[:3]}"
    return places
