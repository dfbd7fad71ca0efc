"""Every Python example of the documentation does what it says: it is run, with a worker, each in its own process.

What builds a Celery application of its own is run where nothing of ours can be imported.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys

import pytest

from cli.client.module import module
from schedules.store.migrate import upgrade
from tasks.lists import add_profiles_to_list, create_list
from tasks.profiles import create_profile
from tests.live import other_code_base
from tests.live.forked import Forked
from tests.live.system import ROOT, System, over, until
from worker.action import ACTIONS
from worker.tiers import DEFAULT_QUEUE, QUEUES

#: What the examples call by names that only Klaviyo, or an operator, can give.
LIST, REDIS = "Y6nRLr", "redis://127.0.0.1:6379/0"

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


#: What this page shows are tests of an application.
TESTING = ROOT / "docs" / "testing.md"
#: What these show are web applications, which have tests of their own: `test_docs_accounts`, `test_docs_webhooks`.
SERVED = {ROOT / "docs" / "accounts.md", ROOT / "docs" / "webhooks.md"}


def examples():
    for path in (ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {TESTING, *SERVED})):
        text = path.read_text("utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 2
            yield pytest.param(found[1], id=f"{path.relative_to(ROOT)}:{line}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An application's folder with the files that the examples read."""
    folder = tmp_path_factory.mktemp("application")
    (folder / "customers.csv").write_text("email\nada@example.com\ngrace@example.com\n")
    (folder / "crm.csv").write_text("E-Mail,plan\nada@example.com,gold\n")
    shop = sqlite3.connect(folder / "shop.db")
    shop.execute("CREATE TABLE products (sku TEXT, title TEXT, description TEXT, url TEXT)")
    shop.execute("INSERT INTO products VALUES ('mug', 'Mug', 'It holds tea.', 'https://shop.example/mug')")
    shop.commit()
    shop.close()
    upgrade(f"sqlite:///{folder}/store.db")
    (folder / "app").mkdir()
    (folder / "app" / "klaviyo_actions.py").write_text(module([each.declaration for each in ACTIONS.values()]))
    return folder


@pytest.fixture(scope="module")
def documented(publisher, live_server, live_sandbox, folder):
    """One worker for all of them, with the account that they name."""
    live_server.redis.flushall()
    live_sandbox.reset()
    system = System(live_server, live_sandbox, folder)
    system.worker(**settings(folder)).ready()
    live_sandbox.jobs(seconds=0.2, times=None)
    yield system
    live_sandbox.clear_jobs()
    system.stop_workers()


def settings(folder):
    return {"ACCOUNTS__EU_STORE__API_KEY": "pk_sandbox_b", "STORE_URL": f"sqlite:///{folder}/store.db"}


@pytest.fixture
def fresh(documented):
    """An account with one list and one person on it, and no task; the value is the list's id."""
    documented.sandbox.reset()
    audience = create_list(name="Members")["data"]["id"]
    person = create_profile(email="member@example.com")["data"]["id"]
    add_profiles_to_list(list_id=audience, profile_ids=[person])
    return audience


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_does_what_it_says(documented, fresh, folder, example):
    client = documented.redis
    before = set(client.keys("celery-task-meta-*"))
    requests = documented.sandbox.arrived()
    source = example.replace(LIST, fresh)
    if "Celery(" in example:
        server = documented.server
        other_code_base.run(source.replace(REDIS, server.broker_url), folder, server.broker_options)
    else:
        log = folder / "example.log"
        log.unlink(missing_ok=True)
        process = Forked(["-c", source], documented.environment(**settings(folder)), log, folder=folder)
        assert over(process, 60) == 0, log.read_text()

    def at_rest():
        with client.pipeline(transaction=True) as pipe:  # a task that is on its way is seen in one place
            pipe.keys("klaviyo:now:*")
            pipe.keys("klaviyo:bulk:*")
            pipe.exists("celery", "klaviyo:unacked", DEFAULT_QUEUE, *QUEUES)
            return not any(pipe.execute())

    until(at_rest, 20, "the end of every task of the example")
    ends = documented.ends(
        key.removeprefix("celery-task-meta-") for key in set(client.keys("celery-task-meta-*")) - before
    )
    assert {end.status for end in ends.values()} <= {"SUCCESS"}, ends
    assert documented.sandbox.arrived() > requests


def test_the_tests_that_the_guide_shows_pass(tmp_path):
    conftest, tests = BLOCK.findall(TESTING.read_text("utf-8"))
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_shop.py").write_text(tests)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT), "KLAVIYO_API_KEY": "pk_none"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # an application has few of those that are installed here

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert "2 passed" in done.stdout, done.stdout
