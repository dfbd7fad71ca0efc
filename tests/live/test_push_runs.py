"""Pushes of the settings, carried out by workers that may die."""

from __future__ import annotations

import re
import signal
import sqlite3

import pytest

from schedules.store.migrate import upgrade
from tests.live.system import end, until
from worker.app import app

#: Enough for two jobs.
ROWS = 10_100


def knows_of_a_job(worker):
    """Whether it has written down what Klaviyo has answered; else its successor would look for the job first."""
    return re.search(r"klaviyo\.job_spawn\S+ succeeded", worker.text())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_query_is_pushed_by_a_worker_and_taken_over_by_another_when_that_ends(system, tmp_path, how):
    shop = tmp_path / "shop.db"
    with sqlite3.connect(shop) as database:
        database.execute("CREATE TABLE customers (email TEXT, name TEXT, spent NUMERIC)")
        people = [(f"p{number}@example.com", f"P{number}", number / 4) for number in range(ROWS)]
        database.executemany("INSERT INTO customers VALUES (?, ?, ?)", people)
    url = f"sqlite:///{tmp_path}/store.db"
    upgrade(url)
    settings = {
        "STORE_URL": url,
        "PUSHES__CUSTOMERS__KIND": "profiles",
        "PUSHES__CUSTOMERS__SOURCE": "sql:SELECT email, name AS first_name, spent FROM customers WHERE email LIKE '%'",
        "PUSHES__CUSTOMERS__DATABASE_URL": f"sqlite:///{shop}",
        "PUSHES__CUSTOMERS__MAP": "spent=properties.spent:number",
    }
    first = system.worker(**settings).ready()
    system.sandbox.jobs(seconds=1, times=None)
    task = app.send_task("klaviyo.push", kwargs={"name": "customers"})
    until(lambda: knows_of_a_job(first), 30, lambda: f"a job\n{first.last()}")
    end(first.process, how)
    system.redis.delete("klaviyo:push:default:profiles:customers")
    system.lapse()
    second = system.worker(**settings).ready()

    told = system.end_of(task.id, 60)

    assert told.status == "SUCCESS", told
    assert (told.result["rows"], told.result["landed"], told.result["state"]) == (ROWS, ROWS, "done"), second.last()
    # Two jobs, however often they were asked for.
    state = system.sandbox.state()
    assert (state["profile-bulk-import-job"], state["doubled_jobs"], state["profile"]) == (2, 0, ROWS), [
        row for row in system.sandbox.ledger("bulk_import_profiles")
    ]
    assert "example.com" not in first.text() + second.text()
