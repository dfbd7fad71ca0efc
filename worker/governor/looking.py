"""What the governor knows of lines, workers and what waits, for whoever watches. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from worker.governor.calling import ScriptCaller
from worker.governor.reading import read_look
from worker.governor.terms import Look
from worker.redis.patience import waits_for_redis
from worker.tiers import DAY_MS, MINUTE_MS

#: Lines that are looked at in one step, which takes Redis a few milliseconds.
LINES_PER_LOOK = 50

#: Lines whose tasks are counted in one step, which takes as long.
LINES_PER_COUNT = 1_000

#: From the grant of a request to its answer, at most: it counts from the answer on.
LONGEST_REQUEST_MS = 120_000


class Observer(ScriptCaller):
    """The governor as whoever watches sees it."""

    def waiting(self) -> Iterator[bytes]:
        """Yield the message of every waiting task, in no order. What comes or goes meanwhile may be missed."""
        for _, stored in self._client.hscan_iter(f"{self._prefix}waiting", count=500):
            yield stored.partition(b"\n")[2]

    def count(self) -> int:
        """Return how many tasks wait."""
        found: Any = self._client.hlen(f"{self._prefix}waiting")
        return int(found)

    def look(self, lines: Iterable[str] | None = None) -> list[Look]:
        """Return the state of these lines, or of every line that this Redis knows, in the order of their names.

        Each is read in one step; nothing is changed. What is not known is left out.
        """
        names = sorted(self.lines() if lines is None else set(lines))
        seen: list[Any] = []
        moment = self.now() / 1000
        for first in range(0, len(names), LINES_PER_LOOK):
            seen += self._call("look_at", *names[first : first + LINES_PER_LOOK])
        return [read_look(name, each, moment) for name, each in zip(names, seen, strict=True) if each]

    def look_at(self, line: str) -> Look | None:
        """Return the state of one line; None if this Redis does not know it."""
        return next(iter(self.look([line])), None)

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Return how many tasks of every line wait in the lane now, in the lane bulk, and for their time.

        It costs Redis a fraction of a look: what is used of the windows has to be counted.
        """
        names, found = self.lines(), list[int]()
        for first in range(0, len(names), LINES_PER_COUNT):
            found += self._call("counts", *names[first : first + LINES_PER_COUNT])
        return dict(zip(names, zip(found[::3], found[1::3], found[2::3], strict=True), strict=True))

    def lines(self, account: str = "") -> list[str]:
        """Return the names of all lines that this Redis knows, or of an account's."""
        found: list[Any] = self._client.hkeys(f"{self._prefix}lines")
        return [name.decode() for name in found if name.startswith(f"{account}:".encode() if account else b"")]

    def specs(self, lines: Sequence[str]) -> list[str]:
        """Return the spec of each line, its queue and its windows; an empty one if this Redis does not know it."""
        found: list[Any] = self._client.hmget(f"{self._prefix}lines", list(lines)) if lines else []
        return [(spec or b"").decode() for spec in found]

    def used_lines(self) -> list[str]:
        """Return the names of the lines in which something waits, or of whose windows something may be used."""
        moment = self.now()
        waiting = {line for line, counts in self.counts().items() if any(counts)}
        pipe = self._client.pipeline(transaction=False)
        pipe.zrange(
            f"{self._prefix}served", moment - DAY_MS - LONGEST_REQUEST_MS, "+inf", byscore=True, withscores=True
        )
        pipe.hkeys(f"{self._prefix}blocked")
        served, blocked = pipe.execute()
        lately = {name.decode() for name, at in served if at >= moment - MINUTE_MS - LONGEST_REQUEST_MS}
        today = [name.decode() for name, _ in served if name.decode() not in lately]
        # A bucket is called as the line that draws on it alone.
        by_day = {name for name, spec in zip(today, self.specs(today), strict=True) if f":{DAY_MS}" in spec}
        return list(waiting | lately | by_day | {name.decode() for name in blocked})

    def last_served(self) -> dict[str, float]:
        """Return when each line that this Redis knows was served last, in seconds since 1970."""
        found: Any = self._client.zrange(f"{self._prefix}served", 0, -1, withscores=True)
        return {line.decode(): moment / 1000 for line, moment in found}

    @waits_for_redis
    def slots(self) -> dict[str, int]:
        """Return how many tasks at once the workers take from each queue; empty if no worker was heard of lately."""
        found: Any = self._client.hgetall(f"{self._prefix}slots")
        return {queue.decode(): int(count) for queue, count in found.items()}

    def workers(self) -> dict[str, int]:
        """Return how many tasks at once each worker takes that was heard of lately."""
        found: Any = self._client.hgetall(f"{self._prefix}workers")
        moment = self.now() if found else 0
        announced = ((name.decode(), value.decode().split("|")) for name, value in found.items())
        return {name: int(slots) for name, (until, slots, _) in announced if int(until) >= moment}
