"""An application that forks with open connections: each process has its own, and the answers to its own questions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schedules.store.migrate import upgrade
from tests.live.system import ROOT

APPLICATION = Path(__file__).with_name("forking_app.py")


@pytest.fixture
def told(idle, tmp_path):
    """What the application's processes were answered: the last two children were forked with every lock held."""
    store = f"sqlite:///{tmp_path}/store.db"
    upgrade(store)
    # A warning is what a child gets that leaves a connection lying about.
    command = [sys.executable, "-W", "error::ResourceWarning", str(APPLICATION)]
    environment = {**idle.environment(STORE_URL=store), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_each_child_gets_its_own_answers_and_the_parent_keeps_its_connections_whoever_holds_locks(told):
    parent, still, later, children = told["before"], told["still"], told["after"], told["children"]
    everyone = [parent, *children]

    assert [child.get("raised") for child in children] == [None] * 4
    assert [child["exit"] for child in children] == [0] * 4
    assert [child["answer"]["attributes"]["name"] for child in children] == [f"child {n}" for n in range(4)]
    for each in (*everyone, still, later):
        assert each["queued"] == each["who"]
        assert set(each["said"]) == {each["who"]}
    for own in ("redis", "backend", "klaviyo", "random", "uuid", "oid"):
        assert len({each[own] for each in everyone}) == 5, own
    # That to Klaviyo is let go of after four idle seconds, which a fork on a busy machine may take.
    for kept in ("redis", "backend", "oid"):
        assert still[kept] == parent[kept], kept
