"""Fair among accounts: each gets its share of the workers' slots, whatever the others ask for and whoever hangs."""

import random

import pytest

from tests.worker.crowd import WIDE, Crowd, jain
from tests.worker.governing import answer, line, nobody_works, publish, released, somebody_works
from worker.governor import Governor
from worker.tiers import QUEUES, Limits, Line

NAMES = [f"shop-{number}" for number in range(100)]
HEALTHY = NAMES[2:]


@pytest.fixture
def crowd(client):
    return Crowd(client)


def backlogged(crowd, names=NAMES, number=100):
    for name in names:
        crowd.backlog(name, number)
    return crowd


def test_accounts_with_backlogs_of_any_size_finish_alike(crowd):
    for number, name in enumerate(NAMES):
        crowd.backlog(name, round(10 ** (number / 99 * 4)))  # from 1 to 10,000

    crowd.run(45)

    left = crowd.waiting()
    assert len(left) > 50
    assert jain(crowd.finished[name] for name in left) >= 0.99
    fewest = min(crowd.finished[name] for name in left)
    assert all(crowd.finished[name] <= fewest + 3 for name in NAMES)


def test_an_account_that_hangs_and_one_with_429s_only_cost_the_others_next_to_nothing(client):
    def of_the_healthy(**wrong):
        client.flushall()
        crowd = backlogged(Crowd(client))
        crowd.hanging, crowd.throttled = set(wrong.get("hanging", ())), set(wrong.get("throttled", ()))
        finished = crowd.during(60)
        return sum(finished[name] for name in HEALTHY), jain(finished[name] for name in HEALTHY)

    before, _ = of_the_healthy()
    after, index = of_the_healthy(hanging=NAMES[:1], throttled=NAMES[1:2])

    assert after >= 0.97 * before
    assert index >= 0.99


def test_one_that_hangs_costs_few_others_next_to_nothing(client):
    def of_the_others(hanging):
        client.flushall()
        crowd = backlogged(Crowd(client), NAMES[:23], 200)  # one slot for each, and one more
        crowd.hanging = hanging
        finished = crowd.during(60)
        return sum(finished[name] for name in NAMES[1:23])

    assert of_the_others({NAMES[0]}) >= 0.97 * of_the_others(set())


def test_whoever_hangs_gives_back_what_it_held_when_others_come_with_the_timeouts(crowd):
    crowd.hanging = {"first"}
    crowd.backlog("first", 1_000)
    crowd.run(5)
    assert crowd.holds["first"] == 24
    for name in HEALTHY[:3]:
        crowd.backlog(name, 2_000)

    crowd.run(30)
    for _ in range(40):
        crowd.run(1)
        assert crowd.holds["first"] <= 24 / 4


def test_whoever_hangs_holds_no_more_than_its_share_of_all_tiers_together(crowd):
    crowd.hanging = {"first"}
    tiers = {"xl": "100000/s 1000000/m", "l": "1000/s 1500/m", "m": "100/s 150/m"}
    for name, limits in tiers.items():
        crowd.backlog("first", 200, name=name, limits=Limits.parse(limits))
    crowd.backlog("second", 20_000)

    crowd.run(31)
    for _ in range(60):
        crowd.run(1)
        assert crowd.holds["first"] <= 12


def test_an_account_that_is_answered_again_has_all_that_the_others_leave(crowd):
    crowd.hanging = {"first"}
    crowd.backlog("first", 5_000)
    crowd.backlog("second", 10, name="other")
    crowd.run(31)
    crowd.hanging = set()
    crowd.run(31)

    assert crowd.holds["first"] == 24


def test_weights_of_one_two_and_three_give_shares_of_one_two_and_three(crowd):
    crowd.governor.set_weights({"b": 2, "c": 3})
    for name in "abc":
        crowd.backlog(name, 1_000)

    crowd.run(5)
    finished = crowd.during(60)

    whole = sum(finished.values())
    for name, part in {"a": 1, "b": 2, "c": 3}.items():
        assert finished[name] / whole == pytest.approx(part / 6, rel=0.02)


def test_weights_count_where_there_are_more_accounts_than_slots(crowd):
    crowd.governor.set_weights({name: 3 for name in NAMES[:20]})
    backlogged(crowd, NAMES[:60], 200)

    finished = crowd.during(60)

    heavy, light = (sum(finished[name] for name in names) for names in (NAMES[:20], NAMES[20:60]))
    assert heavy / 20 / (light / 40) == pytest.approx(3, rel=0.05)


def test_a_lone_account_uses_every_slot_and_a_second_one_need_not_wait_for_its_share(crowd):
    crowd.backlog("first", 5_000)
    crowd.run(5)
    assert crowd.holds["first"] == 24

    crowd.backlog("second", 5_000)
    crowd.run(2)

    assert crowd.holds == {"first": 12, "second": 12}


def test_what_one_account_leaves_another_may_use_but_never_all_slots(client, clock):
    governor = Governor(client, clock=clock)
    governor.beat("worker", 32, list(QUEUES), 10**6)
    client.set("klaviyo:born", 1)
    each = line("350/s 3500/m")
    other = Line("b", each.buckets)
    publish(governor, other, "theirs")
    released(client, other)

    publish(governor, each, *(f"task-{number}" for number in range(40)))
    clock.wait(0.02)
    governor.tick()

    assert len(released(client, each)) == 23


def test_an_account_that_calls_one_by_one_has_its_share_and_no_more(crowd):
    backlogged(crowd, NAMES[:48], 200)
    crowd.run(5)

    served = 0
    for _ in range(200):
        crowd.backlog("zz", 1)
        crowd.run(0.25)
        served = crowd.finished["zz"]

    others = [crowd.finished[name] for name in NAMES[:48]]
    assert served <= 1.1 * max(others)
    assert jain(others) >= 0.99


@pytest.mark.parametrize("name", ["aa", "zz"])  # of accounts with the same time, the first by name is served first
def test_an_account_that_calls_again_once_it_is_answered_is_not_served_before_its_turn(crowd, name):
    backlogged(crowd, NAMES[:48], 200)
    crowd.run(5)

    published = 0
    for _ in range(200):
        if crowd.finished[name] == published:
            crowd.backlog(name, 1)
            published += 1
        crowd.run(0.25)

    assert crowd.finished[name] <= 1.1 * max(crowd.finished[each] for each in NAMES[:48])


def test_an_account_that_comes_late_has_no_turns_to_make_up_for_and_owes_none(crowd):
    backlogged(crowd, NAMES[:48], 200)
    crowd.run(20)

    crowd.backlog("zz", 200)
    finished = crowd.during(30)

    others = [finished[each] for each in NAMES[:48]]
    assert 0.8 * min(others) <= finished["zz"] <= 1.2 * max(others)


@pytest.mark.parametrize("seed", range(3))
def test_every_call_has_its_turn_and_nothing_is_left_of_turns_in_the_end(client, seed):
    rng, crowd, published = random.Random(seed), Crowd(client, threads=8, latency=(50, 900), seed=seed), 0
    for name in NAMES[:12]:
        for tier, limits in {"xl": WIDE, "m": Limits.parse("10/s 150/m"), "s": Limits.parse("3/s 60/m")}.items():
            number = rng.randint(0, 40)
            published += number
            crowd.backlog(name, number, rng.choice(["now", "bulk"]), name=tier, limits=limits)
    for _ in range(12):
        crowd.hanging, crowd.throttled = ({rng.choice(NAMES[:12])} for _ in "ab")
        crowd.run(20)
    crowd.hanging, crowd.throttled = set(), set()
    crowd.run(200)

    assert len(crowd.started) == published
    left = {
        name for what in ("ready", "capped", "turns", "lacking", "out") for name in client.keys(f"klaviyo:{what}:*")
    }
    assert left == set()
    assert set(client.hgetall("klaviyo:out").values()) == {b"0"}


def test_the_lines_of_an_account_run_unless_aways_for_its_slots(client, clock):
    governor, lines = one_slot(client, clock)
    for each in lines:
        publish(governor, each, *(f"{each.buckets[0].name}-{number}" for number in range(3)), lane="bulk")

    assert order(client, governor, clock, lines[0], 5) == ["one-1", "two-0", "one-2", "two-1", "two-2"]


def test_what_is_urgent_goes_first_for_an_accounts_slots(client, clock):
    governor, (one, two) = one_slot(client, clock)
    publish(governor, one, *(f"night-{number}" for number in range(3)), lane="bulk")
    publish(governor, two, "urgent")

    assert order(client, governor, clock, one, 3) == ["urgent", "night-1", "night-2"]


def one_slot(client, clock):
    """A governor with a slot of each queue, and two lines of one account."""
    governor = Governor(client, clock=clock)
    governor.beat("worker", 1, list(QUEUES), 10**6)
    client.set("klaviyo:born", 1)
    return governor, [line("350/s 3500/m", name) for name in ("one", "two")]


def order(client, governor, clock, each, number):
    """The tasks that go next, one after the other."""
    [under_way] = released(client, each)
    found = []
    for _ in range(number):
        clock.wait(0.1)
        answer(governor, under_way)
        [under_way] = released(client, each)
        found.append(under_way)
    return found


def test_leases_that_an_older_version_has_opened_count_for_their_accounts(client, clock):
    governor = Governor(client, clock=clock)
    client.set("klaviyo:born", 1)
    each = line("350/s 3500/m")
    client.hset("klaviyo:lease", mapping={f"old-{number}": f"{each.queue}|{each.name}" for number in range(12)})
    client.zadd("klaviyo:claimed", {f"old-{number}": clock.ms + 60_000 for number in range(12)})
    client.hset("klaviyo:out", each.queue, 12)
    governor.beat("worker", 32, list(QUEUES), 10**6)

    assert client.hgetall(f"klaviyo:out:{each.queue}") == {b"a": b"12"}


def test_a_line_that_waits_for_a_slot_is_looked_at_again_though_what_it_waits_in_is_lost(client, governor, clock):
    each = line("350/s 3500/m")
    nobody_works(governor)
    publish(governor, each, "one")
    client.delete(*client.keys("klaviyo:ready:*"), *client.keys("klaviyo:lacking:*"))
    somebody_works(governor, clock)
    assert released(client, each) == []

    clock.wait(30)
    governor.tick()

    assert released(client, each) == ["one"]
