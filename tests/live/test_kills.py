"""Workers die by kill -9 under load: nothing is lost, and nothing is doubled that must not be."""

from __future__ import annotations

import itertools

import pytest

from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.live.system import ACCOUNTS, until
from tests.live.whereabouts import assert_nothing_lost, whereabouts
from tests.soak import sized

KILLS = sized(3, 12)
#: Lists for each account, and people, that wait while workers are killed.
LISTS, PEOPLE = sized(12, 80), sized(70, 400)


@pytest.mark.soak
def test_a_killed_worker_loses_no_task(system):
    sandbox = system.sandbox
    sandbox.limits(steady=100_000)  # adopted from the first answer: the load then lasts
    fresh = itertools.count()
    profiles: set[str] = set()
    lists: dict[str, tuple[str, str]] = {}

    def publish_list(name: str, alias: str = "default") -> str:
        task_id = create_list.on(alias).delay(name=name).id
        lists[task_id] = alias, name
        return task_id

    def publish_profiles(number: int) -> None:
        for n in itertools.islice(fresh, number):
            profiles.add(create_profile.on(lane="bulk").delay(email=f"p{n}@example.com").id)

    def all_there():
        return assert_nothing_lost(system.redis, profiles | set(lists))

    # The first kill: three lists, and no more, are in flight. (An unknown bucket sends one request before the rest.)
    worker = system.worker(READ_TIMEOUT=1.5).ready()
    system.ended([publish_list("first")])
    sandbox.fault("hang", operation="create_list", times=None)
    in_flight = [publish_list(f"in flight {n}") for n in range(3)]
    until(lambda: sandbox.arrived() == 1 + 3, 10, "three requests in flight")
    worker.kill()
    sandbox.clear_faults()
    all_there()

    # The others: two workers in the middle of everything, of which the older one dies.
    sandbox.fault("latency", seconds=0.1, times=None)
    for alias in ACCOUNTS:
        for n in range(LISTS):
            publish_list(f"{alias}-{n}", alias)
    publish_profiles(PEOPLE)
    workers = [system.worker(READ_TIMEOUT=1.5).ready() for _ in range(2)]
    for _ in range(KILLS - 1):
        arrived = sandbox.arrived()
        # However long the last worker took to start: there is work for this turn.
        publish_profiles(max(0, 60 - system.redis.hlen("klaviyo:waiting")))
        until(lambda: sandbox.arrived() >= arrived + 15, 30, lambda: f"more requests ({all_there()})")  # noqa: B023
        workers.pop(0).kill()
        publish_profiles(20)
        all_there()
        workers.append(system.worker(READ_TIMEOUT=1.5).ready())
        all_there()

    ends = system.ended(profiles | set(lists), 90)

    # Nothing is lost, and every profile is there once: a repeat finds what the first request has made.
    assert {ends[each].error for each in profiles} <= {None, "Conflict"}
    assert sandbox.state()["profile"] == len(profiles)
    # A list is asked for once, whoever died, and where nobody knows what became of it, the task says so.
    assert {ends[each].error for each in lists} == {None, "OutcomeUnknown"}
    assert {ends[each].error for each in in_flight} == {"OutcomeUnknown"}
    assert len(sandbox.ledger("create_list")) <= len(lists)
    for alias in ("default", *ACCOUNTS):
        there = sandbox.names("/api/lists", "name", alias)
        assert set(there.values()) == {1}
        assert {name for each, (of, name) in lists.items() if of == alias and not ends[each].error} <= set(there)
    assert sandbox.throttled() == 0
    until(lambda: not whereabouts(system.redis, ends).unacked, 30, "every acknowledgement")
