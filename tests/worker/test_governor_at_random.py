"""Any operations in any order: what the governor counts is what there is, and nothing that waits is forgotten."""

import json
import random
from collections import Counter

import pytest

from tests.soak import sized
from worker.api.jsonapi import Quota
from worker.errors import Paused
from worker.governor import ALONE, Arrival, Delivery, Expiry, Fate, Governor, RequestEnd, TaskEnd
from worker.tiers import Bucket, Limits, Line

SINGLE, BULK, TIGHT = (
    Bucket(name, Limits.parse(limits))
    for name, limits in (("single", "3/s 60/m"), ("bulk", "2/s 15/m"), ("tight", "1/s 15/m"))
)
ACCOUNTS = ("a", "b", "c")
LINES = {
    line.name: line
    for account in ACCOUNTS
    for line in (Line(account, each) for each in ((SINGLE,), (BULK,), (TIGHT,), (SINGLE, TIGHT)))
}
QUEUES = sorted({line.queue for line in LINES.values()})
RECORD = ("unacked", "unacked_index")
LEASE_MS = 20_000


class Anything:
    """Publishers, workers and operators that do one thing after the other; workers may stall, die and come back."""

    def __init__(self, client, clock, seed):
        self.client, self.clock, self.chance = client, clock, random.Random(seed)
        self.governor = Governor(client, clock=clock)
        client.set("klaviyo:born", clock.ms - 100_000)
        self.governor.beat("first", 8, QUEUES, 10.0)
        #: What was published and has not ended; what workers hold; carriers that a job has; calls of processes.
        self.tasks, self.held, self.jobs, self.calls = {}, {}, [], []
        self.published = self.pops = 0

    def publish(self):
        often = [LINES["a:single"]] * len(LINES)
        line, lane = self.chance.choice([*LINES.values(), *often]), self.chance.choice(["now", "bulk"])
        for _ in range(self.chance.choice([1, 5, 20])):
            self.published += 1
            id, blindly = f"task-{self.published}", self.chance.random() < 0.5
            together = ALONE
            if line.buckets == (SINGLE,):
                marks = self.chance.choice(["", " ada=x", " ada=x", " grace=y", " !once="])
                carrier = LINES[f"{line.account}:bulk"]
                together = f"1 10 {int(not blindly)} key{marks}", f"4 100 {carrier.name} {carrier.spec}"
            told = {"headers": {"id": id, "klaviyo": {"blindly": blindly}}}
            self.tasks[id] = line, lane, blindly, together
            expires = Expiry(self.chance.uniform(1, 20)) if self.chance.random() < 0.2 else None
            delay = self.chance.choice([0, 0, 7])
            self.governor.wait(ref(line), lane, id, json.dumps(told), delay, expires, together=together)

    def take(self):
        self.pops += 1
        taken = self.governor.take(Delivery(*RECORD, f"pop{self.pops}"), LEASE_MS, 8, QUEUES)
        for number, (_, message, claimed) in enumerate(taken, start=1):
            self.held[f"pop{self.pops}:{number}"] = json.loads(message)["headers"]["id"], message.decode(), claimed

    def work(self):
        for tag in self.chance.sample([*self.held], min(len(self.held), 3)):
            if self.chance.random() < 0.1:
                continue
            id, _, claimed = self.held.pop(tag)
            (self.carry if id.startswith("together-") else self.carry_out)(id, tag, claimed)

    def carry_out(self, id, tag, claimed):
        line, lane, blindly, together = self.tasks.get(id, (LINES["a:single"], "now", True, ALONE))
        delivery = Delivery(*RECORD, tag)
        state = "ok" if claimed else self.governor.claim(id, LEASE_MS, not blindly, tag).state
        end = self.end()
        if state == "ok" and claimed and end.used:
            self.governor.finish([TaskEnd(id, delivery, end)])
        elif state == "ok":
            self.governor.close_lease(id, end, tag)
        if state == "none" or (state == "ok" and not end.used):
            self.governor.park(
                delivery, ref(line), lane, id, self.chance.choice([0, 1]), True, False, together=together
            )
        else:
            self.ended(id, tag)

    def carry(self, id, tag, _):
        riders, delivery = self.governor.board(id, LEASE_MS, tag), Delivery(*RECORD, tag)
        if not riders:
            self.strike_off(tag)
        elif self.chance.random() < 0.3:
            named = [each.task_id for each in riders]
            if self.governor.hand_over(delivery, id, named[: self.chance.randrange(1, len(named) + 1)]):
                self.jobs.append(id)
        else:
            self.arrive(id, delivery, riders)

    def arrive(self, id, delivery, riders):
        hows = [self.chance.choice(["done", "decided", "wait", None]) for _ in riders]
        what = {"done": "", "decided": "{}", "wait": "", None: ""}
        fates = [Fate(each.task_id, how, what[how]) for each, how in zip(riders, hows, strict=True) if how is not None]
        if self.governor.arrive(delivery, id, Arrival(self.end(), fates, self.chance.choice([0, 1]))) is not None:
            for each in fates:
                if each.how == "done":
                    self.tasks.pop(each.task_id, None)

    def end_job(self):
        if self.jobs:
            id = self.jobs.pop()
            self.arrive(id, Delivery(*RECORD, ""), self.governor.riders(id))

    def die(self):
        """What one worker held is put back; it may come back and go on with it."""
        for tag in self.chance.sample([*self.held], min(len(self.held), 1)):
            id, message, _ = self.held[tag]
            line, lane, _, together = self.tasks.get(id, (None, "", True, ALONE))
            self.governor.restore(Delivery(*RECORD, tag), QUEUES[0], line and ref(line), lane, id, message, together)
            if self.chance.random() < 0.7 or line is None:
                del self.held[tag]

    def beat(self):
        self.governor.beat(f"worker-{self.chance.randrange(3)}", self.chance.choice([0, 2, 6, 40]), QUEUES, 10.0)

    def call(self):
        line = self.chance.choice([*LINES.values()])
        try:
            if not self.governor.reserve(ref(line), id := f"now-{self.clock.ms}", LEASE_MS):
                self.calls.append(id)
        except Paused:
            pass

    def hang_up(self):
        if self.calls:
            self.governor.close_lease(self.calls.pop(), self.end())

    def pause(self):
        what = self.chance.choice(["account:a", "action:b:single", "action:tight", f"tier:{QUEUES[0]}"])
        self.governor.pause(what, "somebody", "why", since=0)

    def resume(self):
        for each in self.governor.paused():
            self.governor.resume(each.what)

    def join(self):
        account, company = self.chance.choice(ACCOUNTS), self.chance.choice(["one", "another", ""])
        self.governor.join(account, self.chance.choice(["", "key", "key"]), company)

    def revoke(self):
        for id in self.chance.sample([*self.tasks], min(len(self.tasks), 2)):
            self.governor.revoke(id, "revoked")
            if self.governor.withdraw(id, f"result of {id}", "revoked", 60):
                del self.tasks[id]

    def wait(self):
        self.clock.wait(self.chance.choice([0.02, 0.02, 0.3, 1.01, 5]))

    def turn(self):
        self.governor.tick()

    def end(self):
        quota = Quota(limit := self.chance.choice([60, 15, 4]), self.chance.randrange(limit), 30)
        block = self.chance.choice([0, 0, 2.0])
        return self.chance.choice(
            [
                RequestEnd(True, quota),
                RequestEnd(True),
                RequestEnd(True, unanswered=True),
                RequestEnd(False, block=block),
            ]
        )

    def ended(self, id, tag):
        self.governor.done(id)
        self.tasks.pop(id, None)
        self.strike_off(tag)

    def strike_off(self, tag):
        self.client.hdel(RECORD[0], tag)
        self.client.zrem(RECORD[1], tag)

    def run(self, steps):
        often = (self.publish, self.take, self.work, self.work, self.turn, self.wait)
        seldom = (
            self.end_job, self.die, self.beat, self.call, self.hang_up, self.pause, self.resume, self.join, self.revoke,
        )  # fmt: skip
        for _ in range(steps):
            self.chance.choice(often if self.chance.random() < 0.75 else seldom)()
            yield

    def finish(self):
        """Work until nothing is left, and until nothing that a worker has let go of is under way."""
        self.resume()
        self.governor.beat("last", 40, QUEUES, 10**6)
        self.end = lambda: RequestEnd(True)
        for _ in range(1_000):
            self.clock.wait(10)
            self.governor.tick()
            self.take()
            while self.held:
                tag, (id, _, claimed) = self.held.popitem()
                (self.carry if id.startswith("together-") else self.carry_out)(id, tag, claimed)
            self.end_job()
            self.hang_up()
            if not self.tasks and not self.client.exists("klaviyo:lease"):
                return


def ref(line):
    return line.name, line.spec


def table(client, name):
    return {field.decode(): value.decode() for field, value in client.hgetall(f"klaviyo:{name}").items()}


def places(client, name):
    return {member.decode() for member in client.zrange(f"klaviyo:{name}", 0, -1)}


def assert_counts_are_right(client):
    """The leases out are counted at each bucket, at each queue and for each account; each of them ends some day."""
    shared, flights, out = table(client, "shared"), Counter(), Counter()
    leases = {id: lease.partition("|")[::2] for id, lease in table(client, "lease").items()}
    for queue, line in leases.values():
        if line in LINES:
            account = LINES[line].account
            flights.update((shared.get(account, account), each.name) for each in LINES[line].buckets)
            out.update([queue, (queue, account)] if queue else [])
    for account in ACCOUNTS:
        for bucket in (SINGLE, BULK, TIGHT):
            flight = client.hget(f"klaviyo:bucket:{account}:{bucket.name}", "flight")
            assert int(flight or 0) == flights[account, bucket.name]
    for queue in QUEUES:
        assert int(client.hget("klaviyo:out", queue) or 0) == out[queue]
        holdings = {account: int(number) for account, number in table(client, f"out:{queue}").items()}
        assert {account: number for account, number in holdings.items() if number} == {
            account: out[queue, account] for account in ACCOUNTS if out[queue, account]
        }
        assert holdings.keys() - {account for account, number in holdings.items() if number} <= lined_up(client, queue)
    by_job = {id for id, riding in table(client, "riding").items() if riding.startswith("@")}
    handed_over = {id for id, (_, line) in leases.items() if line.removeprefix("@") in by_job}
    assert places(client, "granted") | places(client, "claimed") | handed_over == leases.keys() | handed_over
    assert table(client, "holder").keys() <= leases.keys()


def lined_up(client, queue):
    return places(client, f"ready:{queue}") | places(client, f"capped:{queue}")


def assert_nothing_is_forgotten(client, tasks):
    """Whatever waits will be looked at; whatever has not ended waits, travels, or is on its way to a worker."""
    due, paused, waiting = places(client, "due"), client.exists("klaviyo:paused"), table(client, "waiting")
    listed = Counter()
    for name in LINES:
        ids = [id for lane in ("now", "bulk") for id in client.lrange(f"klaviyo:{lane}:{name}", 0, -1)]
        ids += [item.rpartition(b"|")[2].removeprefix(b"^") for item in client.zrange(f"klaviyo:later:{name}", 0, -1)]
        listed.update(id.decode() for id in ids)
        assert name in due or paused or not ids
    assert {id: listed[id] for id in waiting} == dict.fromkeys(waiting, 1)
    for queue in QUEUES:
        assert queue in due or not lined_up(client, queue)
        for account in ACCOUNTS:
            assert account in lined_up(client, queue) or not client.exists(f"klaviyo:lacking:{queue}:{account}")
    riders, aboard = {id: riders_of(client, id) for id in table(client, "riding")}, table(client, "aboard")
    assert {name.decode().removeprefix("klaviyo:riders:") for name in client.keys("klaviyo:riders:*")} <= riders.keys()
    on_the_way = [json.loads(raw) for queue in QUEUES for raw in client.lrange(queue, 0, -1)]
    on_the_way += [json.loads(raw)[0] for raw in client.hvals(RECORD[0])]
    found = {each["headers"]["id"] for each in on_the_way}.union(waiting, *riders.values())
    assert tasks.keys() <= found
    said = {
        f"{head.split('|')[1]} {mark.partition('=')[0]}": carrier
        for carrier, each in riders.items() for head in each.values() for mark in head.split(" ")[4:] if mark[0] != "!"
    }  # fmt: skip
    assert aboard == said


def riders_of(client, carrier):
    items = [item.decode().split("\n") for item in client.lrange(f"klaviyo:riders:{carrier}", 0, -1)]
    return {id: head for id, head, _ in items}


@pytest.mark.parametrize("seed", range(sized(6, 300)))
def test_whatever_happens_counts_are_right_and_nothing_is_forgotten(client, clock, seed):
    system = Anything(client, clock, seed)

    for number, _ in enumerate(system.run(300)):
        if number % 4 == 0:
            assert_counts_are_right(client)
            assert_nothing_is_forgotten(client, system.tasks)
    system.finish()

    assert not system.tasks
    assert_counts_are_right(client)
    assert not client.exists(*(f"klaviyo:{name}" for name in ("lease", "holder", "riding", "aboard", "waiting")))
