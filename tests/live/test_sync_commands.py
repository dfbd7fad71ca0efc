"""`klaviyo sync`, each call a process as a shell starts it, with a real worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.live.copies import states
from tests.live.system import ROOT, end, until

COMMAND = [sys.executable, "-c", "from cli import main; main()"]


def environment(system, store):
    return {**system.environment(STORE_URL=store.url), "PYTHONPATH": str(ROOT)}


def klaviyo(system, store, *words):
    given = {"env": environment(system, store), "cwd": system.folder, "capture_output": True, "text": True}
    return subprocess.run([*COMMAND, *words], timeout=240, **given)


def only_default(*words):
    """The accounts of the other tests have nothing to read."""
    return [*words, "--account", "default"]


def test_streams_are_read_to_their_end_and_shown_afterwards(system, store):
    system.sandbox.seed(account="default", profiles=1_200, events=2_500)
    system.worker(STORE_URL=store.url, CONCURRENCY=8).ready()

    read = klaviyo(system, store, *only_default("sync", "profiles", "events"))
    shown = klaviyo(system, store, *only_default("sync", "--json"))

    assert read.returncode == 0, read.stderr
    assert [line.split()[:4] for line in read.stdout.splitlines()[1:]] == [
        ["profiles", "done", "incremental", "1,200"],
        ["events", "done", "incremental", "2,500"],
    ]
    standing = {each["stream"]: each for each in json.loads(shown.stdout)}
    assert (standing["profiles"]["rows"], standing["profiles"]["run"]["state"]) == (1_200, "done")
    assert standing["lists"]["run"] is None
    assert "@" not in read.stdout + read.stderr + shown.stdout


def test_a_stream_that_fails_is_told_with_the_reason_and_the_others_are_read(system, store):
    system.sandbox.fault("status", status=403, operation="get_tags", times=None)
    system.worker(STORE_URL=store.url, CONCURRENCY=8).ready()

    read = klaviyo(system, store, *only_default("sync", "tags", "metrics"))

    assert read.returncode == 1
    assert "tags of default failed: " in read.stderr
    assert "get_tags" in read.stderr
    assert [line.split()[:2] for line in read.stdout.splitlines()[1:]] == [["metrics", "done"], ["tags", "failed"]]


def test_ctrl_c_leaves_the_sync_running(system, store):
    system.sandbox.seed(account="default", profiles=3_000)
    system.sandbox.fault("latency", seconds=0.3, times=None)
    system.worker(STORE_URL=store.url, CONCURRENCY=8).ready()
    command = [*COMMAND, *only_default("sync", "profiles")]
    watching = subprocess.Popen(
        command, env=environment(system, store), cwd=system.folder, stderr=subprocess.PIPE, text=True
    )

    until(lambda: [run for run in store.runs("profiles") if run["state"] == "running"], 20, "the run")
    code = end(watching, signal.SIGINT)

    assert code == 130
    assert "the sync continues" in watching.stderr.read()
    watching.stderr.close()
    system.sandbox.clear_faults()
    until(lambda: store.runs("profiles")[-1]["state"] == "done", 30, "the end of the run")
    assert len(store.rows("profiles")) == 3_000


def test_without_a_worker_it_is_started_and_said_that_nothing_happens_yet(system, store):
    started = klaviyo(system, store, *only_default("sync", "metrics", "--no-wait", "--json"))

    assert started.returncode == 0
    assert "No worker runs" in started.stderr
    [asked] = json.loads(started.stdout)
    system.worker(STORE_URL=store.url, CONCURRENCY=8).ready()
    until(lambda: states(system, asked["request"]) == {"metrics": "done"}, 20, "the end of what was asked for")


def test_a_plan_starts_nothing(system, store):
    system.sandbox.seed(account="default", profiles=250)

    planned = klaviyo(system, store, *only_default("sync", "profiles", "metrics", "--plan", "--json"))

    assert planned.returncode == 0, planned.stderr
    assert {each["stream"]: each["requests"] for each in json.loads(planned.stdout)} == {"profiles": 3, "metrics": 1}
    assert store.runs("profiles") == []
    assert not system.redis.keys("klaviyo:sync:*")
