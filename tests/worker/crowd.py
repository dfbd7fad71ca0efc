"""Many accounts on few slots in virtual time, around the real governor script: who gets how much of the workers.

No window is ever full: what is short are slots. An account is answered, or hangs, or gets nothing but 429s.
"""

import heapq
import itertools
import random
from collections import Counter

from worker.governor import Delivery, Governor, RequestEnd, TaskEnd
from worker.tiers import Bucket, Limits, Line

RECORD = ("unacked", "unacked_index")
WIDE, TIMEOUT, TICK = Limits.parse("100000/s 1000000/m"), 30_000, 200
LEASE = 75_000


class Crowd:
    """A worker with so many threads, of which a queue gets three quarters, and the accounts that it works for."""

    def __init__(self, client, threads=32, latency=(500, 1_500), seed=1):
        self.now = 1_700_000_000_000.0
        self.governor = Governor(client, clock=lambda: int(self.now))
        self.finished, self.tiers, self.started = Counter(), {}, []
        self.hanging, self.throttled = set(), set()
        self._client, self._threads, self._latency, self._random = client, threads, latency, random.Random(seed)
        self._events, self._order, self._ids, self._pops = [], itertools.count(), itertools.count(), itertools.count()
        self._busy, self.holds = 0, Counter()
        client.set("klaviyo:born", int(self.now) - 100_000)
        self._at(0, self._tick)

    def line(self, account, name="operation", limits=WIDE):
        made = Line(account, (Bucket(name, limits),))
        self.tiers[made.queue] = True
        return made

    def backlog(self, account, number, lane="bulk", **line):
        """So many calls of an account wait from now on."""
        made = self.line(account, **line)
        for first in range(0, number, 1_000):
            tasks = []
            for _ in range(min(1_000, number - first)):
                task = f"{account}-{next(self._ids)}"
                tasks.append((task, f'{{"headers": {{"id": "{task}", "klaviyo": {{"blindly": true}}}}}}', ""))
            self.governor.wait_all((made.name, made.spec), lane, tasks)

    def run(self, seconds):
        """Let the worker work for so long."""
        self.governor.beat("worker", self._threads, list(self.tiers), 10**6)
        until = self.now + seconds * 1_000
        while self._events and self._events[0][0] <= until:
            self.now, _, work, arguments = heapq.heappop(self._events)
            work(*arguments)
        self.now = until
        return self

    def during(self, seconds):
        """How many calls of each account are finished in the next so many seconds."""
        before = self.finished.copy()
        self.run(seconds)
        return Counter({account: number - before[account] for account, number in self.finished.items()})

    def waiting(self):
        """The accounts with a backlog."""
        return {line.partition(":")[0] for line, counts in self.governor.counts().items() if any(counts)}

    def _at(self, delay, work, *arguments):
        heapq.heappush(self._events, (self.now + delay, next(self._order), work, arguments))

    def _tick(self):
        self.governor.tick()
        self._take()
        self._at(TICK, self._tick)

    def _take(self):
        while self._busy < self._threads:
            pop = f"pop{next(self._pops)}"
            most = min(8, self._threads - self._busy)
            taken = self.governor.take(Delivery(*RECORD, pop), LEASE, most, list(self.tiers))
            if not taken:
                return
            for number, (_, _, task) in enumerate(taken, start=1):
                self._busy += 1
                account = task.rpartition("-")[0]
                self.holds[account] += 1
                self.started.append(account)
                hangs = account in self.hanging
                delay = TIMEOUT if hangs else self._random.uniform(*self._latency)
                self._at(delay, self._end, account, task, f"{pop}:{number}", hangs)

    def _end(self, account, task, tag, hung):
        self._busy -= 1
        self.holds[account] -= 1
        if hung or account in self.throttled:
            end = RequestEnd(used=hung, unanswered=hung, block=0.0 if hung else 1.0)
            self.governor.close_lease(task, end, tag)
        else:
            self.finished[account] += 1
            self.governor.finish([TaskEnd(task, Delivery(*RECORD, tag), RequestEnd(used=True))])
        self._take()


def jain(numbers):
    """Jain's index of fairness: 1 where all are equal, 1/n where one has everything."""
    numbers = list(numbers)
    return sum(numbers) ** 2 / (len(numbers) * sum(each**2 for each in numbers))
