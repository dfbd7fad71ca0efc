"""Accounts divided over two Redis, each with a worker: one application, and an account that moves while it is used."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

import cli.accounts.moving
from cli.commands import app as klaviyo
from cli.dashboard import accounts, imports, jobs, limits
from cli.dashboard.snapshots import read_everywhere
from schedules.sync import request_sync
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.metrics import get_metrics
from tasks.profiles import bulk_import_profiles, create_profile
from tests.live.copies import states
from tests.live.flower import OPEN, running_flower
from tests.live.nodes import DATA, Node, Several
from tests.live.publishing_to import publishing_to
from tests.live.system import System, until
from tests.ports import free_ports
from worker.accounts.stored import get_account_store

SECRET_KEY = "a-key-that-only-these-tests-have"


class Alone:
    """One server on a port."""

    def __init__(self, binary: str, folder: Path) -> None:
        [port] = free_ports(1)
        self.node = Node(binary, folder, port, *DATA)
        self.url = self.broker_url = f"redis://127.0.0.1:{port}/0"
        self.broker_options: dict[str, Any] = {}

    def primary(self) -> Node:
        return self.node

    def close(self) -> None:
        self.node.close()


@contextmanager
def flower(folder):
    """Flower, as it runs beside this process; the value asks it for something."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("KLAVIYO_")}
    with (
        running_flower({**environment, **OPEN}, folder / "flower.log", servers=2) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


@contextmanager
def two(binary, sandbox, folder, **settings):
    """The systems of two Redis, a worker at each; account b lives on the second."""
    main, eu = Alone(binary, folder / "main"), Alone(binary, folder / "eu")
    several = {"REDIS_URLS__EU": eu.url, "ACCOUNTS__B__REDIS": "eu", "SECRET_KEY": SECRET_KEY, **settings}
    sandbox.reset()
    try:
        with publishing_to(main, sandbox, folder, **several) as here:
            there = System(Several(eu), sandbox, folder / "there")
            there.folder.mkdir()
            here.worker(**several).ready()
            there.worker(name="eu@test", REDIS_URL=main.url, REDIS_NAME="eu", **several).ready()
            try:
                yield here, there
            finally:
                there.stop_workers()
                there.redis.close()
    finally:
        main.close()
        eu.close()


def told(*words):
    """What a command prints for other programs."""
    result = CliRunner().invoke(klaviyo, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("no_process_is_left")
def test_one_application_works_for_accounts_on_two_redis_and_sees_both(server_binary, live_sandbox, tmp_path, store):
    live_sandbox.jobs(seconds=0.2, times=None)
    with two(server_binary, live_sandbox, tmp_path, STORE_URL=store.url) as (here, there):
        calls = [create_profile.on(alias).delay(email="ada@example.com") for alias in ("a", "b")]
        job = run_job(bulk_import_profiles).on("b").delay(profiles=[{"email": "grace@example.com"}])
        report = import_profiles([{"email": "row@example.com"}], account="b", rejects=tmp_path / "rejects.csv")
        sync = request_sync("b", ["lists"])

        assert [call.get(timeout=120)["successful"] for call in calls] == [True, True]
        assert job.get(timeout=120)["data"]["completed"] == 1
        assert report.landed == 1
        until(lambda: states(there, sync) == {"lists": "done"}, 20, lambda: f"a sync: {states(there, sync)}")
        assert {row["name"].partition(":")[0] for row in told("limits")} >= {"a", "b"}
        assert {row["account"] for row in told("jobs")} == {"b"}
        assert {row["account"] for row in told("imports")} == {"b"}
        assert {row["alias"] for row in told("accounts")} == {"default", "a", "b", "c"}
        assert not here.redis.exists("klaviyo:jobs", "klaviyo:runs")
        for tab in (limits.TAB, jobs.TAB, imports.TAB, accounts.TAB):
            words = {word for row in read_everywhere(tab).rows for word in re.split("[ :]", tab.words(row))}
            assert "b" in words, tab.title
    live_sandbox.clear_jobs()


@pytest.mark.usefixtures("no_process_is_left")
def test_flower_shows_both_and_speaks_to_the_workers_of_both_until_one_is_away(server_binary, live_sandbox, tmp_path):
    with two(server_binary, live_sandbox, tmp_path) as (_, there), flower(tmp_path) as page:
        ids = [get_metrics.on(alias).delay().id for alias in ("a", "b")]
        waits = get_metrics.on("b", countdown=3_600)
        task = waits.delay()

        def known():
            with suppress(httpx.TransportError):
                tasks = page.get("/api/tasks").json()
                return {id: tasks[id]["state"] for id in (*ids, task.id) if id in tasks}
            return {}

        wanted = {ids[0]: "SUCCESS", ids[1]: "SUCCESS", task.id: "WAITING"}
        until(lambda: known() == wanted, 30, lambda: f"all three tasks: {known()}")

        def workers():
            return {*page.get("/api/workers", params={"refresh": "1"}).json()}

        # Flower waits for answers for a second, which may be short on a busy machine.
        until(lambda: workers() == {"w1@test", "eu@test"}, 20, lambda: f"answers of both workers, beside {workers()}")
        assert page.post(f"/api/task/revoke/{task.id}").status_code == 200
        assert task.state == "REVOKED"
        until(
            lambda: page.post("/api/worker/pool/grow/eu@test", params={"n": "1"}).status_code == 200,
            20,
            "a pool that has grown",
        )
        [worker] = there.workers
        page.post("/api/worker/shutdown/eu@test")
        assert worker.stop(how=0) == 0

        there.server.nodes.primary().kill()
        said = "Nothing here is about the Redis eu (account b and any account stored there)"
        until(lambda: said in page.get("/klaviyo/limits", params={"part": "table"}).text, 20, "a sentence on the page")
        assert "a:get_metrics" in page.get("/klaviyo/limits").text or ">a<" in page.get("/klaviyo/limits").text
        metrics = page.get("/klaviyo/metrics").text
        assert 'klaviyo_collector_up{part="limits",redis="main"} 1.0' in metrics
        assert 'klaviyo_collector_up{part="limits",redis="eu"} 0.0' in metrics


@pytest.mark.usefixtures("no_process_is_left")
def test_an_account_moves_with_everything_that_it_has_begun(server_binary, live_sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.accounts.moving, "QUIET_S", 1.0)
    with two(server_binary, live_sandbox, tmp_path) as (here, there):
        live_sandbox.begin_minute("get_metrics", "shop")
        live_sandbox._door("POST", "/accounts", alias="shop", key="pk_shop", company_id="SHOP01")
        live_sandbox.limits(account="shop", operation="get_metrics", steady=30)
        get_account_store().change("shop", api_key=SecretStr("pk_shop"))
        before = [get_metrics.on("shop").delay() for _ in range(24)]

        moved = CliRunner().invoke(klaviyo, ["accounts", "move", "shop", "eu"])

        assert "Account shop lives on eu now." in moved.output
        assert {call.state for call in before} == {"SUCCESS"}
        after = [get_metrics.on("shop").delay().id for _ in range(12)]
        until(lambda: len(there.ends(after)) == 6, 20, "the calls that the minute has room for")
        assert not here.ends(after)
        assert len(there.places_at_rest(after).waiting) == 6
        assert live_sandbox.throttled() == 0
