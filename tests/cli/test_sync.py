"""`klaviyo sync` as a user types it: what is refused, what is shown. Redis is a fake; the store is a file."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from cli.sync import follow as sync_follow
from cli.sync.follow import Progress, line
from cli.sync.view import Part, families, parts_table, plan_table, status_table
from schedules.plan.estimate import Estimate
from schedules.store import connection, runs
from schedules.store.migrate import upgrade
from schedules.store.outage import Outage
from schedules.stream_status import PullRun, StreamStatus
from tests.cli.typed import run
from worker.settings import get_settings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def file_store(settings, fake_redis, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    settings.setenv("KLAVIYO_STORE_URL", url)
    get_settings.cache_clear()
    upgrade(url)
    return settings


def pull_run(**how):
    known = dict(mode="incremental", state="done", started=NOW - timedelta(seconds=20), ended=NOW, rows=1_234,
                 requests=13, windows=4, closed=4, deleted=0, note=None, error=None)  # fmt: skip
    return PullRun(1, **{**known, **how})


def shown(table, width=140):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


REFUSED = {
    ("sync", "profils"): "did you mean 'profiles'?",
    ("sync", "campaign_messages"): "campaign_messages cannot be read alone: name campaigns, which brings them",
    ("sync", "--full"): "Name the streams to read, or `all`",
    ("sync", "--no-wait"): "Name the streams to read, or `all`",
    ("sync", "profiles", "--full", "--since", "3d"): "give one of them",
    ("sync", "profiles", "--since", "2100-01-01"): "is in the future",
    ("sync", "profiles", "--since", "yesterday"): "'yesterday' is not a time",
    ("sync", "profiles", "--account", "nobody"): "there is no account 'nobody'",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_arguments_that_make_no_sense_are_refused_and_nothing_is_started(file_store, fake_redis, words):
    result = run(*words)

    assert result.exit_code == 2
    assert REFUSED[words] in result.stderr
    assert fake_redis.keys() == []


def test_without_a_store_the_command_that_makes_one_is_reported(file_store, tmp_path):
    file_store.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/other.db")
    get_settings.cache_clear()

    result = run("sync", "profiles")

    assert result.exit_code == 2
    assert "run `klaviyo store`" in result.stderr


def test_a_store_that_cannot_be_reached_is_reported_before_anything_is_started(file_store, fake_redis):
    pytest.importorskip("psycopg")
    file_store.setenv("KLAVIYO_STORE_URL", "postgresql://user:hunter2@127.0.0.1:1/name")
    get_settings.cache_clear()

    result = run("sync", "profiles")

    assert result.exit_code == 2
    assert "The store (KLAVIYO_STORE_URL) cannot be reached" in result.stderr
    assert "hunter2" not in result.output
    assert fake_redis.keys() == []


def test_streams_that_were_never_read_are_named_and_the_others_shown(file_store):
    with connection.transaction() as opened:
        number = runs.create(opened, "default", "tags", "pull", "full", NOW)
        runs.end(opened, number, "failed", NOW + timedelta(seconds=3), {"error": "Klaviyo says no"})

    result = run("sync")

    assert result.exit_code == 0
    assert [each.split()[0] for each in result.stdout.splitlines()] == ["stream", "tags"]
    assert "Klaviyo says no" in result.stdout
    assert result.stderr.startswith("Never read: profiles, events, ")


def test_every_stream_of_every_account_is_printed_for_other_programs(file_store):
    file_store.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    get_settings.cache_clear()

    told = json.loads(run("sync", "--json").stdout)

    assert {each["account"] for each in told} == {"default", "eu"}
    assert {"profiles", "campaign_messages", "jobs:coupon-code-bulk-create", "flow_values"} <= {
        each["stream"] for each in told
    }


def test_a_running_run_shows_how_many_of_its_windows_have_been_read():
    going = pull_run(state="running", ended=None, closed=1)

    table = shown(status_table([StreamStatus("default", "profiles", 5_000, None, going)], NOW))

    assert table.splitlines()[1].split() == [
        "profiles", "5,000", "-", *table.splitlines()[1].split()[3:6], "running", "incremental", "1,234", "13", "20",
        "s", "windows", "1/4",
    ]  # fmt: skip


def test_accounts_have_a_column_where_there_are_several():
    one = [StreamStatus("default", "profiles", 1, None, None)]

    assert "account" not in shown(status_table(one, NOW))
    assert "account" in shown(status_table([*one, StreamStatus("eu", "profiles", 1, None, None)], NOW))


def test_jobs_of_every_kind_are_one_line_as_bad_as_the_worst_of_them():
    parts = [
        Part("default", "jobs:a", "done", pull_run()),
        Part("default", "jobs:b", "failed", pull_run(state="failed"), "Klaviyo says no"),
        Part("default", "tags", "done", pull_run()),
    ]

    rows = [each.split()[:4] for each in shown(parts_table(parts, NOW)).splitlines()[1:]]

    assert rows == [["jobs", "failed", "incremental", "2,468"], ["tags", "done", "incremental", "1,234"]]


ESTIMATE = Estimate("default", "profiles", "full", 20_000, 204, 0.04, False, 0.272, None, 12.0, "probes", 19)


def test_a_plan_shows_the_share_of_the_budget_and_the_sum():
    least = replace(ESTIMATE, stream="list_members", at_least=True, uncertainty=0.0, minutes=1.5, requests=90, probes=0)

    lines = shown(plan_table([ESTIMATE, least])).splitlines()

    assert "204 ± 4%" in lines[1]
    assert "27% of 1 min" in lines[1]
    assert "probes (19 requests)" in lines[1]
    assert "≥ 90" in lines[2]
    assert "≥ 1.5 min" in lines[2]
    assert lines[3].split()[:6] == ["all", "≥", "40,000", "≥", "294", "≥"]


def test_the_figures_of_a_report_are_not_called_none_at_all():
    report = replace(ESTIMATE, stream="flow_values", rows=None, days=0.13)

    assert "13%" in shown(plan_table([report]))
    assert " - " in shown(plan_table([report])).splitlines()[1]


@pytest.mark.parametrize("width", [100, 140])
def test_no_number_is_cut_at_usual_widths(width):
    tables = [
        plan_table([ESTIMATE, replace(ESTIMATE, stream="segment_members")]),
        parts_table([Part("default", "profiles", "done", pull_run(rows=1_234_567))], NOW),
        status_table([StreamStatus("default", "profiles", 1_234_567, NOW, pull_run())], NOW),
    ]

    assert not any("…" in shown(table, width) for table in tables)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def progress(monkeypatch, slots):
    monkeypatch.setattr(sync_follow, "get_governor", lambda: type("G", (), {"slots": staticmethod(lambda: slots)}))
    monkeypatch.setattr(sync_follow, "current_outage", lambda: None)
    clock, out = Clock(), io.StringIO()
    return Progress(Console(file=out, width=200), clock), clock, out


def test_without_a_terminal_a_line_is_printed_now_and_then(monkeypatch):
    told, clock, out = progress(monkeypatch, {"klaviyo.l": 8})
    going = pull_run(state="running", ended=None, closed=1)

    with told:
        for second in range(0, 25, 5):
            clock.now = float(second)
            told([Part("default", "profiles", "running", replace(going, rows=100 * second))])

    assert out.getvalue().splitlines() == [
        "0 of 1 streams read; profiles: 1,000 rows, 13 requests, windows 1/4, 100 rows/s",
        "0 of 1 streams read; profiles: 2,000 rows, 13 requests, windows 1/4, 100 rows/s",
    ]


def test_it_says_once_that_no_worker_is_running(monkeypatch):
    told, _, out = progress(monkeypatch, {})

    with told:
        for _ in range(3):
            told([Part("default", "profiles", "wanted", None)])

    assert out.getvalue().count("No worker runs") == 1


def test_an_outage_of_the_store_is_reported_once_and_so_is_its_end(monkeypatch):
    told, _, out = progress(monkeypatch, {"klaviyo.l": 8})
    full = Outage("database or disk is full", 0.0)

    with told:
        for found in (None, full, full, None, None):
            monkeypatch.setattr(sync_follow, "current_outage", lambda found=found: found)
            told([Part("default", "profiles", "wanted", None)])

    assert out.getvalue().count("cannot be written: database or disk is full. Syncs and pushes wait") == 1
    assert out.getvalue().splitlines()[-1] == "The store can be written again."


def test_a_line_says_how_many_streams_have_been_read():
    parts = [Part("default", "tags", "done", pull_run()), Part("eu", "tags", "wanted", None)]

    assert line(parts, {}) == "1 of 2 streams read"


def test_families_keep_the_accounts_apart():
    parts = [Part(account, f"jobs:{kind}", "done", None) for account in ("a", "b") for kind in "xy"]

    found = list(families(parts, lambda family, members: Part(members[0].account, family, "done", None)))

    assert [(each.account, each.stream) for each in found] == [("a", "jobs"), ("b", "jobs")]
