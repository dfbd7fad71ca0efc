"""Klaviyo, workers and the network in virtual time, around the real governor script.

`Klaviyo` counts fixed windows exactly, with a phase of its own for every window. `Simulation` publishes a backlog,
turns the governor, lets workers claim, send, stall and die, and records what arrived when. Half of the tasks may be
repeated blindly: their leases come with the pop, and they end some together.
"""

import heapq
import itertools
import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from worker.api.jsonapi import Quota
from worker.governor import Delivery, End, Governor, Settlement
from worker.process.prefetched_leases import FRESH_S
from worker.tiers import Line

RECORD = ("unacked", "unacked_index")

TICK = 15
LEASE = 75_000


class Klaviyo:
    """Exact fixed windows for each bucket, all or none."""

    def __init__(self, rng, rounded=True):
        self._rng = rng
        self._windows = {}
        self.counts = Counter()
        self.refused = Counter()

    def arrive(self, at, line):
        """The answer to a request at this moment: None when it is admitted, else seconds to wait."""
        wanted, wait = [], 0.0
        for bucket in line.buckets:
            for window in bucket.limits.windows:
                key = (line.account, bucket.name, window.length_ms)
                phase = self._windows.setdefault(key, self._rng.uniform(0, window.length_ms))
                number = int((at - phase) // window.length_ms)
                wanted.append((*key, number))
                if self.counts[(*key, number)] >= window.limit:
                    wait = max(wait, (number + 1) * window.length_ms + phase - at)
        if wait:
            self.refused[line.name] += 1
            return wait / 1000
        self.counts.update(wanted)
        return None

    def quota(self, at, line):
        """What the headers of an answer say, of the endpoint's own steady window."""
        bucket = line.buckets[0]
        key = (line.account, bucket.name, 60_000)
        number = int((at - self._windows[key]) // 60_000)
        reset = (number + 1) * 60_000 + self._windows[key] - at
        limit = bucket.limits.steady
        return Quota(limit, max(0, limit - self.counts[(*key, number)]), int(-(-reset // 1000)))

    def full_windows(self, line, first, last, length=60_000):
        """How much of each window that lies wholly within the times was used, as shares of its limit."""
        bucket = line.buckets[0]
        limit = next(window.limit for window in bucket.limits.windows if window.length_ms == length)
        phase = self._windows[(line.account, bucket.name, length)]
        numbers = range(int((first - phase) // length) + 1, int((last - phase) // length))
        return [self.counts[(line.account, bucket.name, length, number)] / limit for number in numbers]


@dataclass
class Simulation:
    """One run in virtual time."""

    client: object
    seed: int
    workers: int = 2
    slots: int = 16
    latency: tuple[float, float] = (10, 60)
    stall: float = 0.0  # share of the tasks that a worker sits on for up to 20 s before it claims them
    death: float = 0.0  # share of the requests that are sent and never settled
    headers: bool = True
    now: float = 1_000_000.0
    sent: Counter = field(default_factory=Counter)
    answered: list = field(default_factory=list)

    def __post_init__(self):
        self.rng = random.Random(self.seed)
        self._kinds = random.Random(self.seed)
        self.klaviyo = Klaviyo(self.rng)
        self.governor = Governor(self.client, clock=lambda: int(self.now))
        self._events = []
        self._order = itertools.count()
        self._lines = {}
        self._busy = [0] * self.workers
        self._ids = itertools.count()
        self._pops = itertools.count()
        self._holders = {}  # task -> its delivery
        self._early = set()  # tasks whose leases came with the pop
        self._over = [[] for _ in range(self.workers)]  # ends that are not told yet
        self.queues = deque()
        for worker in range(self.workers):
            self.at(0, self._beat, worker)
            self.at(self.rng.uniform(0, TICK), self._tick, worker)

    def at(self, delay, work, *arguments):
        heapq.heappush(self._events, (self.now + delay, next(self._order), work, arguments))

    def publish(self, line: Line, count=1, lane="now", delay=0.0):
        if line.queue not in self.queues:
            self.queues.append(line.queue)
            for worker in range(self.workers):
                self._beat(worker, again=False)
        for _ in range(count):
            task = f"task-{next(self._ids)}"
            self._lines[task] = line
            self._wait(line, lane, task, delay)

    def _wait(self, line, lane, task, delay=0.0):
        told = {"headers": {"id": task, "klaviyo": {"blindly": self._kinds.random() < 0.5}}}
        self.governor.wait((line.name, line.spec), lane, task, json.dumps(told), delay)

    def run(self, milliseconds):
        until = self.now + milliseconds
        while self._events and self._events[0][0] <= until:
            self.now, _, work, arguments = heapq.heappop(self._events)
            work(*arguments)
        self.now = until

    def _beat(self, worker, again=True):
        self.governor.beat(f"worker-{worker}", self.slots, list(self.queues), 10.0)
        if again:
            self.at(2_000, self._beat, worker)

    def _tick(self, worker):
        released = self.governor.tick()
        self.take(worker)
        # A real worker ticks on; a tick before anything is due does nothing, so virtual time leaps over it.
        due = self.client.zrange("klaviyo:due", 0, 0, withscores=True)
        wait = due[0][1] - self.now if due and not released else TICK
        self.at(min(max(wait, TICK), 500), self._tick, worker)

    def take(self, worker):
        while self._busy[worker] < self.slots:
            self.queues.rotate(-1)
            pop, most = f"{worker}-{next(self._pops)}", min(8, self.slots - self._busy[worker])
            taken = self.governor.take(Delivery(*RECORD, pop), LEASE, most, list(self.queues))
            if not taken:
                return
            for number, (_, message, claimed) in enumerate(taken, start=1):
                task = json.loads(message)["headers"]["id"]
                self._holders[task] = f"{pop}:{number}"
                if claimed:
                    assert claimed == task
                    self._early.add(task)
                self._busy[worker] += 1
                stalled = self.rng.uniform(0, 20_000) if self.rng.random() < self.stall else 0
                self.at(self.rng.uniform(0.5, 5) + stalled, self._claim, worker, task, stalled)

    def _claim(self, worker, task, stalled):
        holder = self._holders[task]
        if task in self._early and stalled > FRESH_S * 1000:
            self._early.discard(task)
            self.governor.release(task, holder)
        state = "ok" if task in self._early else self.governor.claim(task, LEASE, False, holder).state
        if state != "ok":
            self._lines[f"{task}'"] = line = self._lines[task]
            self._wait(line, "now", f"{task}'")
            self._free(worker)
            return
        self.at(self.rng.uniform(*self.latency), self._arrive, worker, task)

    def _arrive(self, worker, task):
        line = self._lines[task]
        self.sent[task] += 1
        wait = self.klaviyo.arrive(self.now, line)
        if self.rng.random() < self.death:
            self.at(30_000, self._free, worker)
            return
        quota = self.klaviyo.quota(self.now, line) if self.headers and wait is None else None
        self.at(self.rng.uniform(*self.latency), self._settle, worker, task, wait, quota)

    def _settle(self, worker, task, wait, quota):
        self.answered.append((self.now, task, wait))
        end = Settlement(used=wait is None, quota=quota, block=wait or 0.0)
        if wait is None and task in self._early:
            self._over[worker].append(End(task, Delivery(*RECORD, self._holders[task]), end))
            self.at(self._kinds.uniform(0, 8), self._tell, worker)
        else:
            self.governor.settle(task, end, self._holders[task])
        self._free(worker)

    def _tell(self, worker):
        ends, self._over[worker] = self._over[worker], []
        if ends:
            self.governor.finish(ends)

    def _free(self, worker):
        self._busy[worker] -= 1
        self.take(worker)
