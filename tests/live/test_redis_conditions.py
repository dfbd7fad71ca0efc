"""Whatever Redis says or does not say for two seconds, at every place that speaks to it: work goes on, each thing once.

One worker, under load, through a link that can fail in each of the ways in which Redis is away; and the conditions that
a real server can be put into. What happens at each single place is in tests/worker/redis/test_connection.py.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis

from tasks.jobs import run_job
from tasks.lists import create_list
from tasks.profiles import bulk_import_profiles, create_profile
from tests.live.link import Link
from tests.live.nodes import Several
from tests.live.system import System, failures, until

#: Seconds that a condition lasts; seconds in which work must go on after it.
LASTS, BACK = 2.0, 5.0

PROFILES, LISTS = 36, 6

ANSWERS = {
    "loading": "LOADING Redis is loading the dataset in memory",
    "misconf": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "masterdown": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "noauth": "NOAUTH Authentication required.",
    "wrong password": "WRONGPASS invalid username-password pair or user is disabled.",
}


def full(system, link):
    system.redis.config_set("maxmemory", 1)
    return lambda: system.redis.config_set("maxmemory", 0)


def read_only(system, link):
    system.redis.replicaof("127.0.0.1", 1)
    return lambda: system.redis.replicaof("NO", "ONE")


def without_replicas(system, link):
    system.redis.config_set("min-replicas-to-write", 1)
    return lambda: system.redis.config_set("min-replicas-to-write", 0)


def busy(system, link):
    system.redis.config_set("busy-reply-threshold", 1)
    # A read-only script, which SCRIPT KILL may end.
    other = system.server.connect()
    thread = threading.Thread(target=_forever, args=(other,), daemon=True)
    thread.start()
    until(lambda: _is_busy(system.redis), 10, "a server that is busy with the script")

    def end():
        system.redis.script_kill()
        thread.join()
        other.close()
        system.redis.config_set("busy-reply-threshold", 5_000)

    return end


def _forever(client):
    with pytest.raises(Exception, match="killed"):
        client.eval("while true do redis.call('GET', KEYS[1]) end", 1, "x")


def _is_busy(client):
    try:
        client.get("x")
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


def without_scripts(system, link):
    system.redis.script_flush()
    return lambda: None


def refused(system, link):
    link.refuse()
    return link.mend


def cut(system, link):
    link.cut()
    return lambda: None


def cut_again_and_again(system, link):
    over = threading.Event()

    def cutting():
        while not over.wait(0.5):
            link.cut()

    thread = threading.Thread(target=cutting)
    thread.start()

    def end():
        over.set()
        thread.join()

    return end


def slow(system, link):
    link.be_late(2.0)
    return link.mend


def half_open(system, link):
    link.fall_silent()
    return link.mend


def saying(text):
    def say(system, link):
        link.say(text)
        return link.mend

    return say


#: What a server can be put into, and with KLAVIYO_TEST_REDIS each of several.
OF_A_SERVER = {
    "full": full,
    "without replicas": without_replicas,
    "busy": busy,
    "without scripts": without_scripts,
}
CONDITIONS = {
    **OF_A_SERVER,
    "read-only": read_only,
    "refused": refused,
    "cut": cut,
    "cut again and again": cut_again_and_again,
    "two seconds late": slow,
    "half-open": half_open,
    **{name: saying(text) for name, text in ANSWERS.items()},
}


@pytest.fixture(scope="module")
def link(live_server):
    """None where there are several servers."""
    if isinstance(live_server, Several):
        yield None
        return
    made = Link(Path(live_server.socket))
    yield made
    made.close()


@pytest.fixture(scope="module")
def linked(live_server, live_sandbox, publisher, link, tmp_path_factory):
    """A worker that reaches its Redis through the link."""
    system = System(live_server, live_sandbox, tmp_path_factory.mktemp("linked"))
    live_server.redis.flushall()
    live_sandbox.clear_faults()
    live_sandbox.clear_jobs()
    system.worker(REDIS_URL=link.url if link else live_server.url).ready()
    yield system
    system.stop_workers()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_work_goes_on_after_two_seconds_of_it_and_nothing_is_lost_or_doubled(linked, link, condition):
    if not link and condition not in OF_A_SERVER:
        pytest.skip("This is about a link to one server; KLAVIYO_TEST_REDIS names several.")
    sandbox, [worker] = linked.sandbox, linked.workers
    sandbox.reset()
    sandbox.limits(off=True)
    sandbox.fault("latency", seconds=0.15, times=None)
    published = [create_profile.delay(email=f"p{n}@example.com").id for n in range(PROFILES)]
    lists = [create_list.delay(name=f"list {n}").id for n in range(LISTS)]
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]).id
    before = sandbox.arrived()
    until(lambda: sandbox.arrived() > before + 10, 20, "work in full flow")

    end = CONDITIONS[condition](linked, link)
    time.sleep(LASTS)
    arrived = sandbox.arrived()
    end()

    until(lambda: sandbox.arrived() > arrived or linked.ends([*published, job]), BACK, "work to go on")
    ends = linked.ended([*published, *lists, job], 60)
    assert worker.process.poll() is None
    assert failures(ends) == {}, linked.story(ends)
    assert sandbox.state()["profile"] == PROFILES + 1
    assert set(sandbox.names("/api/lists", "name").values()) == {1}
    assert sandbox.state()["list"] == LISTS
    until(lambda: not linked.redis.exists("klaviyo:unacked"), 20, "an empty record of what is held")
    assert "Unrecoverable" not in worker.text()
