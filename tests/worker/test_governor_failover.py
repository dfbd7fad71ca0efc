"""A replica is promoted that is behind, and whose clock is another: no window takes more, and the work goes on."""

from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak import sized
from tests.worker.governing import LEASE_MS, answer, known, line, parked, publish, ref, released
from tests.worker.simulation import LEASE, Simulation
from worker.governor import Governor
from worker.governor.terms import Delivery
from worker.redis import replicas
from worker.redis.connection import NotReplicated
from worker.tiers import QUEUES, Bucket, Limits, Line

LIMITS = ["1/s 15/m", "3/s 60/m", "10/s 150/m", "75/s 750/m", "3/s 150/m", "1/s 2/m 225/d", "3/s 15/m"]

#: Milliseconds within which the processes find the new primary, those of workers that live.
FOUND_WITHIN = 1_500


class Failover(Simulation):
    """A run in which the primary is replaced, once, by what a replica had of it."""

    def __post_init__(self):
        self.offset = 0.0
        super().__post_init__()
        self.governor = Governor(self.client, clock=lambda: int(self.now + self.offset))
        self.governor._call("history", "first")
        self._flights = {}  # task -> worker
        self._back = [0.0] * self.workers  # when each finds the new primary
        self._met = [True] * self.workers
        self.promoted = None

    def fail_over(self, lag, away, ahead):
        """Promote a replica that lacks the last ``lag`` ms, after ``away`` ms without any; its clock is ``ahead``."""
        kept = {key: (self.client.dump(key), max(0, self.client.pttl(key))) for key in self.client.scan_iter()}
        self.at(lag, self._end, kept, away, ahead)

    def _end(self, kept, away, ahead):
        for worker in range(self.workers):
            self._back[worker] = self.now + away + self.rng.uniform(0, FOUND_WITHIN)
            self._met[worker] = False
        # The first to find it.
        self._back[self.rng.randrange(self.workers)] = self.now + away
        self.at(away, self._promote, kept, ahead)

    def _promote(self, kept, ahead):
        self.client.flushall()
        for key, (value, ttl) in kept.items():
            self.client.restore(key, ttl, value)
        self.offset += ahead
        self.promoted = self.now

    def _reaches(self, worker, again):
        """Whether a worker has found the primary; what it wanted to do is done later where it has not."""
        if self.now < self._back[worker]:
            self.at(self._back[worker] - self.now + 0.01, again)
            return False
        if not self._met[worker]:
            self._met[worker] = True
            self.governor._call("history", "second")
            for task, of in self._flights.items():
                if of == worker:
                    told = (task, self._holders[task], *ref(self._lines[task]), LEASE, 0)
                    self.governor._call("under_way", *told)
            self._early = {task for task in self._early if task in self._flights}
        return True

    def _beat(self, worker, again=True):
        if self._reaches(worker, partial(self._beat, worker, again)):
            super()._beat(worker, again)

    def _tick(self, worker):
        if self._reaches(worker, partial(self._tick, worker)):
            super()._tick(worker)

    def take(self, worker):
        if self.now >= self._back[worker] and self._met[worker]:
            super().take(worker)

    def _claim(self, worker, task, stalled):
        if task in self._early or self._reaches(worker, partial(self._claim, worker, task, stalled)):
            super()._claim(worker, task, stalled)

    def _arrive(self, worker, task):
        self._flights[task] = worker
        super()._arrive(worker, task)

    def _close(self, worker, task, wait, quota):
        if self._reaches(worker, partial(self._close, worker, task, wait, quota)):
            super()._close(worker, task, wait, quota)
            if task not in self._early:
                self._flights.pop(task, None)

    def _tell(self, worker):
        if self._reaches(worker, partial(self._tell, worker)):
            for end in self._over[worker]:
                self._flights.pop(end.task_id, None)
            super()._tell(worker)


@pytest.mark.soak
@settings(max_examples=sized(5, 200))
@given(
    seed=st.integers(0, 2**32),
    limits=st.lists(st.sampled_from(LIMITS), min_size=1, max_size=3),
    workers=st.integers(1, 4),
    slowest=st.sampled_from([1, 30, 250, 2_000]),
    headers=st.booleans(),
    moment=st.integers(2_000, 40_000),
    lag=st.sampled_from([0, 50, 700, 3_000]),
    away=st.sampled_from([0, 1_000, 8_000]),
    ahead=st.sampled_from([-3_000, 0, 3_000]),
)
def test_no_window_takes_more_than_it_allows_whatever_the_new_primary_has_missed(
    client, seed, limits, workers, slowest, headers, moment, lag, away, ahead
):
    client.flushall()
    run = Failover(client, seed, workers, 16, (0.1, slowest), headers=headers)
    for n, text in enumerate(limits):
        run.publish(Line("a", (Bucket(f"operation-{n}", Limits.parse(text)),)), 400)

    run.run(moment)
    run.fail_over(lag, away, ahead)
    run.run(75_000)

    assert run.promoted
    assert not run.klaviyo.refused


def test_what_a_replica_has_not_heard_of_counts_as_sent(governor, client, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    released(client, each)
    governor._call("history", "first")
    clock.wait(4)
    governor.beat("worker", 1_000, list(QUEUES), 10**6)
    clock.wait(7)

    governor._call("history", "second")

    # Seven seconds are missing, in each of which one may have been sent, and the one at their end.
    publish(governor, each, *(f"task {n}" for n in range(15)))
    sent = 0
    for _ in range(20):
        clock.wait(1.1)
        governor.tick()
        for name in released(client, each):
            answer(governor, name)
            sent += 1
    assert sent == 15 - 8


@pytest.mark.parametrize("ahead", [-3_000, 0, 3_000])
def test_work_goes_on_within_five_seconds_of_a_promotion(client, ahead):
    run = Failover(client, 7, 2, 16)
    run.publish(line("10/s 150/m"), 500)

    run.run(70_000)
    run.fail_over(500, 3_000, ahead)
    run.run(12_000)

    after = [at for at, _, _ in run.answered if at > run.promoted + FOUND_WITHIN]
    assert after
    assert min(after) <= run.promoted + 5_000
    assert not run.klaviyo.refused


def test_a_request_that_is_under_way_is_counted_by_a_primary_that_has_not_heard_of_it(governor, client, clock):
    each = line("1/s 15/m")
    known(governor, clock, each)
    governor._call("history", "first")

    governor._call("history", "second")
    governor._call("under_way", "task", "holder", *ref(each), 60_000, 0)
    clock.wait(3)
    publish(governor, each, *(f"task {n}" for n in range(15)))

    assert governor.look()[0].buckets[0].flight >= 1
    answer_holder = client.hget("klaviyo:holder", "task")
    assert answer_holder == b"holder"


def test_what_must_not_be_repeated_is_not_sent_again_by_a_primary_that_has_forgotten_it(governor, clock):
    each = line("75/s 750/m")
    governor._call("history", "first")
    governor._call("history", "second")
    governor._call("under_way", "task", "", "", "", 0, 1)
    publish(governor, each, "task")
    clock.wait(3)
    governor.tick()

    assert governor.claim("task", 60_000, True, "holder").state == "unknown"


def test_what_must_not_be_repeated_waits_until_workers_have_told_a_new_primary_what_they_sent(governor, client, clock):
    each = line("75/s 750/m")
    known(governor, clock, each)
    governor._call("history", "first")
    publish(governor, each, "once", "sent", "any")  # granted, and claimed and sent where no replica has heard of it
    governor.beat("worker", 1_000, QUEUES, 10**6)
    governor._call("history", "second")

    assert governor.claim("any", LEASE_MS, False, "holder").state == "ok"
    assert governor.claim("once", LEASE_MS, True, "holder").state == "none"
    assert governor.claim("sent", LEASE_MS, True, "holder").state == "none"

    for name in ("once", "sent"):
        parked(client, governor, each, name)
    governor._call("under_way", "sent", "", "", "", 0, 1)
    clock.wait(3)
    governor.tick()
    assert governor.claim("once", LEASE_MS, True, "holder").state == "ok"
    assert governor.claim("sent", LEASE_MS, True, "holder").state == "unknown"


def test_the_same_primary_changes_nothing(governor, client, clock):
    born = client.get("klaviyo:born")

    governor._call("history", "first")
    governor._call("history", "first")

    assert client.get("klaviyo:born") == born


@pytest.mark.parametrize(
    ("primary", "sent", "result", "flushed", "over"),
    [
        ("second", False, None, False, True),
        ("first", False, None, False, False),
        ("first", False, "SUCCESS", False, False),
        ("first", True, "SUCCESS", False, True),
        ("first", True, "RETRY", False, False),
        ("first", True, None, False, False),
        ("first", True, "nobody wants it", False, True),
        ("first", False, None, True, True),
    ],
    ids=[
        "from this primary", "from another", "from another, and its result is here",
        "a request that must not be repeated, and its result is here",
        "a request that must not be repeated, and an earlier state is here",
        "a request that must not be repeated, and its result is lost",
        "a request that must not be repeated, whose result nobody wants", "somebody has flushed the server",
    ],
)  # fmt: skip
def test_what_has_ended_comes_again_where_its_followers_may_be_lost_with_another_primary(
    governor, client, primary, sent, result, flushed, over
):
    delivery = Delivery("klaviyo:unacked", "klaviyo:unacked_index", "tag")
    client.hset("klaviyo:unacked", "tag", "a message")
    client.zadd("klaviyo:unacked_index", {"tag": 1})
    if sent:
        client.set("klaviyo:sent:task", 1)
    governor._call("history", "first")
    governor._call("history", "second")
    if flushed:
        client.delete("klaviyo:history")
    key = "" if result == "nobody wants it" else "celery-task-meta-task"
    if key and result:
        client.set(key, f'{{"status": "{result}", "result": null}}')

    assert governor.acknowledge(delivery, "task", key, primary) is over
    assert client.exists("klaviyo:unacked", "klaviyo:unacked_index") == (0 if over else 2)


@pytest.mark.parametrize(("slots", "left"), [(0, "nothing was queued"), (4, "a worker has it already")])
def test_a_task_that_no_replica_confirms_is_taken_back_unless_a_worker_has_it(
    governor, client, monkeypatch, slots, left
):
    each = line("1/s 15/m")
    governor.beat("worker", slots, list(QUEUES), 10)
    monkeypatch.setattr(replicas, "get_settings", lambda: SimpleNamespace(redis_replicas=1))
    monkeypatch.setitem(client.connection_pool.connection_kwargs, "socket_timeout", 0.05)

    with pytest.raises(NotReplicated, match=f"0 of 1 replicas .* {left}"):
        publish(governor, each, "task")

    assert (governor.count(), released(client, each)) == (0, ["task"] if slots else [])


def test_a_publication_that_is_repeated_is_queued_once_and_one_that_was_taken_back_again(governor, client, clock):
    each = line("1/s 15/m")
    governor.beat("worker", 0, list(QUEUES), 10)
    publish(governor, each, "task")
    publish(governor, each, "task")
    assert governor.count() == 1

    assert governor._call("take_back", "", "message of task", "task") == 1
    assert governor.count() == 0
    publish(governor, each, "task")

    assert governor.count() == 1
    assert governor._call("take_back", "", "", "other") == 0
    client.lpush("klaviyo.xs", "message")
    assert governor._call("take_back", "klaviyo.xs", "message", "other") == 1
