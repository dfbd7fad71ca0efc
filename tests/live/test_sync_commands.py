"""`klaviyo sync`, each call a process as a shell starts it, with a worker. Without one: test_sync_workers."""

from __future__ import annotations

import json
import signal

from tests.live.command_line import Command
from tests.live.copies import let_pass
from tests.live.system import end, until


def begun(system, store, *words):
    return Command(system.folder, system.environment(STORE_URL=store.url), *words)


def klaviyo(system, store, *words):
    return begun(system, store, *words).done()


def only_default(*words):
    """The accounts of the other tests have nothing to read."""
    return [*words, "--account", "default"]


def test_streams_are_read_to_their_end_and_shown_afterwards(syncing, copied):
    syncing.sandbox.seed(account="default", profiles=250, events=1_100)
    let_pass(syncing)

    read = klaviyo(syncing, copied, *only_default("sync", "profiles", "events"))
    shown = klaviyo(syncing, copied, *only_default("sync", "--json"))

    assert read.returncode == 0, read.stderr
    assert [line.split()[:4] for line in read.stdout.splitlines()[1:]] == [
        ["profiles", "done", "incremental", "250"],
        ["events", "done", "incremental", "1,100"],
    ]
    standing = {each["stream"]: each for each in json.loads(shown.stdout)}
    assert (standing["profiles"]["rows"], standing["profiles"]["run"]["state"]) == (250, "done")
    assert standing["lists"]["run"] is None
    assert "@" not in read.stdout + read.stderr + shown.stdout


def test_a_stream_that_fails_is_told_with_the_reason_and_the_others_are_read(syncing, copied):
    syncing.sandbox.fault("status", status=403, operation="get_tags", times=None)

    read = klaviyo(syncing, copied, *only_default("sync", "tags", "metrics"))

    assert read.returncode == 1
    assert "tags of default failed: " in read.stderr
    assert "get_tags" in read.stderr
    assert [line.split()[:2] for line in read.stdout.splitlines()[1:]] == [["metrics", "done"], ["tags", "failed"]]


def test_ctrl_c_leaves_the_sync_running(syncing, copied):
    syncing.sandbox.seed(account="default", profiles=500)
    let_pass(syncing)
    with syncing.sandbox.held():
        watching = begun(syncing, copied, *only_default("sync", "profiles"))
        until(lambda: [run for run in copied.runs("profiles") if run["state"] == "running"], 20, "the run")
        code = end(watching.process, signal.SIGINT)

    assert code == 130
    assert "the sync continues" in watching.stderr
    until(lambda: copied.runs("profiles")[-1]["state"] == "done", 30, "the end of the run")
    assert len(copied.rows("profiles")) == 500


def test_a_plan_starts_nothing(syncing, copied):
    syncing.sandbox.seed(account="default", profiles=250)

    planned = klaviyo(syncing, copied, *only_default("sync", "profiles", "metrics", "--plan", "--json"))

    assert planned.returncode == 0, planned.stderr
    assert {each["stream"]: each["requests"] for each in json.loads(planned.stdout)} == {"profiles": 3, "metrics": 1}
    assert copied.runs("profiles") == []
    assert not syncing.redis.keys("klaviyo:sync:*")
