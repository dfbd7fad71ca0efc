"""Workers, beat and Redis die at random while streams are read: the store equals the sandbox, little is read twice.

A soak of size 1 does what the project promises for 100,000 profiles and 500,000 events.
"""

from __future__ import annotations

import random
import signal

import pytest

from schedules.sync import request_sync
from tests.live.copies import Copy, assert_equal, states
from tests.live.forked import Forked
from tests.live.system import end, until
from tests.soak import sized

KILLS = sized(3, 20)
PROFILES, EVENTS = sized(2_000, 100_000), sized(10_000, 500_000)

#: What dies.
VICTIMS = ("redis", "beat", "worker")

#: Pages that there are to read.
NEEDED = PROFILES / 100 + EVENTS / 1000


def beat(system, **settings):
    command = ["celery", "--quiet", "-A", "worker", "beat"]
    return Forked(command, system.environment(**settings), system.folder / "beat.log")


@pytest.mark.soak
def test_what_dies_at_random_costs_no_row_and_few_pages(system, live_server, tmp_path):
    rng = random.Random(4)
    store = Copy(f"sqlite:///{tmp_path}/store.db")
    system.sandbox.limits(off=True)
    system.sandbox.seed(account="default", profiles=PROFILES, events=EVENTS, seed=2)
    system.sandbox.fault("latency", seconds=0.3, times=None)
    settings = {"STORE_URL": store.url, "READ_TIMEOUT": 1.5, "CONCURRENCY": 8}
    workers = [system.worker(**settings).ready() for _ in range(2)]
    scheduler = beat(system, **settings)

    request = request_sync("default", ["profiles", "events"], "full")
    died = []
    # Each of the three dies at least once.
    dying = rng.sample(VICTIMS, len(VICTIMS)) + rng.choices(VICTIMS, k=KILLS - len(VICTIMS))
    for victim in dying:
        enough = system.sandbox.arrived() + rng.uniform(0.5, 0.9) * NEEDED / KILLS
        until(lambda enough=enough: system.sandbox.arrived() >= enough or over(system, request), 90, "further pages")
        if over(system, request):
            break
        died.append(victim)
        if victim == "redis":
            live_server.stop(signal.SIGKILL)
            live_server.start_again()
        elif victim == "beat":
            end(scheduler, signal.SIGKILL)
            scheduler = beat(system, **settings)
        else:
            workers.pop(rng.randrange(2)).kill()
            workers.append(system.worker(**settings))
    until(lambda: over(system, request), sized(60, 900), lambda: f"the end: {states(system, request)}")
    end(scheduler)

    read = sum(system.sandbox.statuses(f"get_{name}").count(200) for name in ("profiles", "events"))
    written = sum(run["requests"] for name in ("profiles", "events") for run in store.runs(name))
    print(f"{len(died)} kills ({', '.join(died)}): {read} pages read, {written} written, {NEEDED:.0f} needed")
    assert_equal(system, store, "profiles", "events")
    assert len(died) >= len(VICTIMS)
    # A window that is cut in two costs a page, a kill those that were under way: these are few whatever the size.
    assert read <= NEEDED * 1.05 + 40
    system.sandbox.limits(off=False)
    store.close()


def over(system, request):
    found = states(system, request)
    return bool(found) and set(found.values()) == {"done"}
