"""Recurring runs with real beats and a real worker: killed, stopped, doubled, and still each due time begins once."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from schedules.entries import ENTRIES
from tests.live.forked import Forked
from tests.live.nodes import Sentinels, Several
from tests.live.system import ROOT, System, end, last, stretched, until

HERE = Path(__file__).parent
LOCK = "klaviyo:redbeat:lock"


class Scheduled:
    """Beats, and a worker where a test needs one, with the entries of beat_app."""

    def __init__(self, system, folder):
        self.redis = system.redis
        # One that has to wait for the processor leads as long as nothing else is wrong with it.
        lock = {"TEST_LOCK_S": str(1 + stretched(1))}
        self.environment = {**system.environment(), **lock, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
        self.folder = folder
        self.processes = []

    def start(self, *command, app="beat_app", **entries):
        environment = {**self.environment, "TEST_ENTRIES": ",".join(f"{name}={each}" for name, each in entries.items())}
        log = self.folder / f"{len(self.processes)}.log"
        process = Forked(["celery", "--quiet", "-A", app, *command, "-l", "info"], environment, log)
        self.processes.append(process)
        return process

    def beat(self, **entries):
        return self.start("beat", **entries)

    def worker(self, **entries):
        return self.start("worker", "--without-mingle", "--without-gossip", **entries)

    def said(self, process):
        return (self.folder / f"{self.processes.index(process)}.log").read_text()

    def until(self, process, sentence, times=1):
        until(
            lambda: self.said(process).count(sentence) >= times,
            15,
            lambda: f"{sentence!r} in\n{last(self.said(process))}",
        )

    def published(self, entry):
        """The due times that were published, and that no worker has taken."""
        ids = [json.loads(message)["headers"]["id"] for message in self.redis.lrange("klaviyo", 0, -1)]
        return [due for name, due in (each.split("@") for each in reversed(ids)) if name == entry]

    def is_written_down(self, entry):
        """Whether the entry is due in the future."""
        return (self.redis.zscore("klaviyo:redbeat::schedule", f"klaviyo:redbeat:{entry}") or 0) > time.time()

    def began(self, entry):
        return [each for each in self.redis.lrange("begun", 0, -1) if each.startswith(f"{entry}@")]

    def ran(self, entry, moment):
        """As if the entry had run last at this moment."""
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        last = {"__type__": "datetime", "timezone": 0, **{name: getattr(moment, name) for name in parts}}
        self.redis.hset(f"klaviyo:redbeat:{entry}", "meta", json.dumps({"last_run_at": last}))
        self.redis.zadd("klaviyo:redbeat::schedule", {f"klaviyo:redbeat:{entry}": 1})

    def lapse(self):
        """As if the time had passed after which the lock of a beat that was killed runs out."""
        self.redis.delete(LOCK)

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                end(process, seconds=20)


@pytest.fixture
def scheduled(system, tmp_path):
    scheduled = Scheduled(system, tmp_path)
    yield scheduled
    scheduled.end()


def seconds_between(dues):
    moments = [datetime.fromisoformat(due) for due in dues]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]


def test_of_two_beats_one_publishes_and_when_it_is_stopped_or_killed_the_other_does(scheduled):
    # Whole seconds, in each of which a beat comes to its turn.
    every = math.ceil(stretched(0.3))
    one = scheduled.beat(often=every)
    scheduled.until(one, "This beat leads")
    two = scheduled.beat(often=every)
    scheduled.until(two, "Another beat leads")
    until(lambda: len(scheduled.published("often")) >= 2, 10, "two runs")
    assert "Sending due task" not in scheduled.said(two)

    one.send_signal(signal.SIGSTOP)
    scheduled.until(two, "Sending due task")
    one.send_signal(signal.SIGCONT)
    scheduled.until(one, "another may lead now")
    scheduled.until(two, "Sending due task", 4)
    assert one.poll() is None
    # Stopped between publishing and writing it down, it has published one twice, under one name.
    stopped = scheduled.published("often")
    assert len(stopped) - len(set(stopped)) <= 1

    sent = scheduled.said(one).count("Sending due task")
    end(two, signal.SIGKILL)
    killed = len(set(scheduled.published("often")))
    scheduled.until(one, "Sending due task", sent + 3)

    dues = scheduled.published("often")
    assert len(dues) - len(set(dues)) <= 2  # and killed there, another
    # All but the gap until the lock of the killed one had run out, of which the last is made up for.
    after = sorted(set(dues))[killed - 1 :]
    assert sorted(seconds_between(after))[:-1] == [every] * (len(after) - 2)


def test_a_beat_that_was_killed_over_due_times_runs_the_latest_once(scheduled):
    one = scheduled.beat(rarely=3600)
    scheduled.until(one, "This beat leads")
    end(one, signal.SIGKILL)
    scheduled.lapse()
    last = datetime.now(UTC) - timedelta(hours=3.5)
    scheduled.ran("rarely", last)

    two = scheduled.beat(rarely=3600)
    until(lambda: scheduled.is_written_down("rarely"), 10, "the run to be published and written down")
    end(two, signal.SIGKILL)
    scheduled.lapse()
    three = scheduled.beat(rarely=3600)
    scheduled.until(three, "This beat leads")
    end(three)

    due = (last + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert scheduled.published("rarely") == [due]


def test_an_entry_that_was_taken_out_is_not_published_any_more(scheduled):
    one = scheduled.beat(kept=1, gone=1)
    until(lambda: scheduled.published("gone"), 10, "both entries at work")
    end(one)
    before = scheduled.published("gone")
    assert not scheduled.redis.exists(LOCK)

    scheduled.beat(kept=1)
    kept = len(scheduled.published("kept"))
    until(lambda: len(scheduled.published("kept")) >= kept + 2, 10, "the other entry at work")

    assert scheduled.published("gone") == before


def test_a_run_that_still_goes_on_is_not_started_again_and_the_next_due_time_of_others_is(scheduled):
    scheduled.worker(long=1, often=1)
    scheduled.beat(long=1, often=1)
    until(lambda: len(scheduled.redis.lrange("handled", 0, -1)) >= 6, 20, "some runs")
    until(lambda: len(scheduled.began("often")) >= 3, 10, "several runs of the other entry")

    assert len(scheduled.began("long")) == 1
    often = scheduled.began("often")
    assert len(set(often)) == len(often)


def test_a_run_that_was_published_twice_begins_once(scheduled):
    first = scheduled.beat(rarely=3600)
    scheduled.until(first, "This beat leads")
    end(first)
    last = datetime.now(UTC) - timedelta(hours=1.5)
    for _ in range(2):
        # The one before died when it had published, and before it wrote that down.
        scheduled.ran("rarely", last)
        beat = scheduled.beat(rarely=3600)
        until(lambda: scheduled.is_written_down("rarely"), 10, "the run to be published and written down")
        end(beat)
    assert len(scheduled.published("rarely")) == 2

    scheduled.worker(rarely=3600)
    until(lambda: len(scheduled.redis.lrange("handled", 0, -1)) == 2, 20, "both messages")

    assert len(scheduled.began("rarely")) == 1


def test_beat_goes_on_when_redis_is_back(scheduled, system):
    beat = scheduled.beat(often=1)
    scheduled.until(beat, "Sending due task")
    system.server.stop(signal.SIGKILL)
    scheduled.until(beat, "Beat is waiting for Redis")
    system.server.start_again()
    before = len(scheduled.published("often"))

    until(lambda: len(scheduled.published("often")) >= before + 2, 15, "runs after the outage")

    assert beat.poll() is None
    assert max(scheduled.published("often")) == scheduled.published("often")[-1]


def test_a_run_of_which_a_new_primary_has_not_heard_is_caught_up_once(server_binary, live_sandbox, tmp_path):
    nodes = Sentinels(server_binary, tmp_path / "nodes", sentinels=1)
    scheduled = Scheduled(System(Several(nodes), live_sandbox, tmp_path), tmp_path)
    try:
        beat = scheduled.beat(rarely=3600, often=1)
        scheduled.until(beat, "This beat leads")
        until(lambda: scheduled.published("often"), 10, "the other entry at work")
        beat.send_signal(signal.SIGSTOP)
        last = datetime.now(UTC) - timedelta(hours=1.5)
        scheduled.ran("rarely", last)
        until(lambda: scheduled.redis.wait(1, 1000), 10, "a replica that knows when it ran last")
        nodes.part()
        beat.send_signal(signal.SIGCONT)
        due = (last + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        until(lambda: scheduled.published("rarely") == [due], 10, "the run, published to the primary alone")

        old = nodes.primary()
        old.kill()
        nodes.await_another(old)
        before = len(scheduled.published("often"))
        until(lambda: len(scheduled.published("often")) >= before + 3, 20, "the other entry at work")

        assert scheduled.published("rarely") == [due]
        scheduled.worker(rarely=3600, often=1)
        until(lambda: scheduled.began("rarely"), 20, "the run")
        assert len(scheduled.began("rarely")) == 1
    finally:
        scheduled.end()
        nodes.close()


def test_settings_move_an_entry_and_switch_one_off(scheduled, system):
    scheduled.environment.update(system.environment(SCHEDULE__CATALOG="off", SCHEDULE__REPORTS="5 6 * * *"))
    beat = scheduled.start("beat", app="worker")
    scheduled.until(beat, "This beat leads")

    stored = {key.removeprefix("klaviyo:redbeat:") for key in scheduled.redis.scan_iter("klaviyo:redbeat:*.default")}
    reports = json.loads(scheduled.redis.hget("klaviyo:redbeat:reports.default", "definition"))
    assert stored == {f"{entry.name}.default" for entry in ENTRIES if entry.name != "catalog"}
    assert (reports["schedule"]["hour"], reports["schedule"]["minute"]) == ("6", "5")
