"""What waits, line by line and task by task, for whoever watches.

Lines are counted by `Governor.counts`, which costs Redis a fraction of a look at their windows; messages are read a few
hundred at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from worker.governor.governor import Governor
from worker.governor.terms import KEY_PREFIX

T = TypeVar("T")

#: Messages that are asked for in one round trip.
MESSAGES_PER_TRIP = 500


@dataclass(frozen=True, slots=True)
class LineBacklog:
    """How many tasks of a line wait in each lane, and how many for their time. ``spec`` names queue and windows."""

    line: str
    spec: str
    now: int
    bulk: int
    later: int

    @property
    def queue(self) -> str:
        """The queue of its tier."""
        return self.spec.partition(";")[0]

    @property
    def total(self) -> int:
        """All that wait."""
        return self.now + self.bulk + self.later


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task that waits: its place in its lane, from 1; or the time (Unix) before which it is not to go.

    ``message`` is None where the reader knows the task already.
    """

    id: str
    lane: str
    place: int
    not_before: float | None
    message: bytes | None


def read_backlog(governor: Governor) -> list[LineBacklog]:
    """Return every line in which something waits."""
    if not governor.count():
        return []
    lines = {line: counts for line, counts in governor.counts().items() if any(counts)}
    specs = governor.specs(list(lines))
    return [LineBacklog(line, spec, *lines[line]) for line, spec in zip(lines, specs, strict=True)]


def read_waiting(
    client: redis.Redis, line: LineBacklog, most: int, known: Collection[str], prefix: str = KEY_PREFIX
) -> Iterator[Waiting]:
    """Yield the tasks of a line that go next and those that came last, up to ``most`` of each in each lane.

    ``known``: tasks whose messages are not read.
    """
    places: dict[str, tuple[str, int, float | None]] = {}
    for lane, length in (("now", line.now), ("bulk", line.bulk)):
        name = f"{prefix}{lane}:{line.line}"
        # The oldest are at the right.
        first: Any = client.lrange(name, -most, -1) if length else []
        last: Any = client.lrange(name, 0, min(most, length - most) - 1) if length > most else []
        places |= {id.decode(): (lane, length - back, None) for back, id in enumerate(last)}
        places |= {id.decode(): (lane, place, None) for place, id in enumerate(reversed(first), start=1)}
    if line.later:
        later: Any = client.zrange(f"{prefix}later:{line.line}", 0, most - 1, withscores=True)
        for item, score in later:
            lane, _, id = item.decode().partition("|")
            places[id.removeprefix("^")] = (lane, 0, score / 1000)
    messages = _messages(client, [id for id in places if id not in known], prefix)
    for id, (lane, place, not_before) in places.items():
        yield Waiting(id, lane, place, not_before, messages.get(id))


def read_in_order(
    client: redis.Redis, line: str, lane: str, first: int, most: int, prefix: str = KEY_PREFIX
) -> list[Waiting]:
    """Return up to ``most`` tasks of a lane of a line, in the order in which they are sent, from place ``first`` on.

    ``lane`` may be ``later``, too: those whose time has not come, in the order of their times.
    """
    found: list[tuple[str, str, float | None]]
    if lane == "later":
        later: Any = client.zrange(f"{prefix}later:{line}", first - 1, first + most - 2, withscores=True)
        parted = [(*item.decode().partition("|")[::2], score / 1000) for item, score in later]
        found = [(id.removeprefix("^"), which, not_before) for which, id, not_before in parted]
    else:
        ids: Any = client.lrange(f"{prefix}{lane}:{line}", -(first + most - 1), -first)
        found = [(id.decode(), lane, None) for id in reversed(ids)]
    messages = _messages(client, [id for id, *_ in found], prefix)
    return [
        Waiting(id, which, place, not_before, messages.get(id))
        for place, (id, which, not_before) in enumerate(found, start=first)
    ]


def _messages(client: redis.Redis, ids: Sequence[str], prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in _parts(ids, MESSAGES_PER_TRIP):
        stored: Any = client.hmget(f"{prefix}waiting", list(part))
        found |= {id: each.partition(b"\n")[2] for id, each in zip(part, stored, strict=True) if each is not None}
    return found


def _parts(whole: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (whole[start : start + size] for start in range(0, len(whole), size))
