"""What `klaviyo schedules` shows."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from cli.commands import app
from cli.schedules import rows
from schedules.entries import scheduled_entries
from schedules.entry_runs import EntryRecord, begin_run, end_run, plan_entry, run_id
from worker.one_per_process import forget
from worker.settings import Settings, get_settings

ENTRY = "profiles-events.default"
DUE = datetime(2026, 11, 24, 1, 7, tzinfo=UTC)
NOW = DUE + timedelta(hours=8)


def row(**known):
    """The row of the nightly entry, due at 01:07, at nine in the morning."""
    record = EntryRecord(**{"since": DUE - timedelta(days=9), **known})
    each = next(scheduled_entries(Settings(_env_file=None, api_key="pk_a")))
    assert each.name == ENTRY
    return next(rows([each], [record], NOW))


def run(due, seconds=900, **more):
    return {"run": run_id(ENTRY, due), "started": due, "ended": due + timedelta(seconds=seconds), "state": "ok", **more}


def test_a_run_on_time_is_shown_with_its_duration_and_the_next_one():
    found = row(**run(DUE, succeeded=DUE))

    assert (found.state, found.last_run, found.last_success, found.seconds) == ("ok", DUE, DUE, 900)
    assert found.next_run == DUE + timedelta(days=1)
    assert found.missed is None


def test_a_run_that_did_not_start_is_missed_and_shown_with_how_late_it_is():
    found = row(**run(DUE - timedelta(days=2)))

    assert found.missed == DUE
    assert found.late_seconds == 8 * 3600


def test_a_run_that_never_started_is_missed_from_when_it_was_scheduled():
    assert row().missed == DUE
    assert row(since=DUE + timedelta(hours=1)).missed is None
    assert row(since=None).missed is None
    assert row().state == "new"


def test_a_message_may_wait_a_moment_before_its_run_is_missed():
    each = next(scheduled_entries(Settings(_env_file=None, api_key="pk_a")))
    record = EntryRecord(since=DUE - timedelta(days=1))

    soon = next(rows([each], [record], DUE + timedelta(seconds=90)))
    later = next(rows([each], [record], DUE + timedelta(seconds=150)))

    assert soon.missed is None
    assert later.missed == DUE


def test_a_run_that_was_skipped_because_another_was_running_is_not_missed():
    found = row(**run(DUE - timedelta(days=1), skipped=run_id(ENTRY, DUE)))

    assert found.missed is None
    assert found.remarks == "the run of 24 Nov 01:07 was skipped: the previous one was still running"


def test_a_running_entry_shows_how_long_and_a_dead_one_since_when():
    going = run(DUE, ended=None, state="running", until=NOW + timedelta(minutes=5))
    dead = {**going, "until": NOW - timedelta(hours=3)}

    assert (row(**going).state, row(**going).seconds) == ("running", 8 * 3600)
    assert (row(**dead).state, row(**dead).remarks) == ("failed", "no sign of life by 24 Nov 06:07")


@pytest.mark.parametrize("minutes", range(0, 240, 5))
def test_the_next_run_lies_ahead_also_while_clocks_change(minutes):
    settings = Settings(
        _env_file=None, api_key="pk_a", timezone="Europe/Berlin", schedule={"profiles-events": "*/15 * * * *"}
    )
    now = datetime(2026, 10, 24, 23, 0, tzinfo=UTC) + timedelta(minutes=minutes)

    found = next(rows([next(scheduled_entries(settings))], [EntryRecord(since=now)], now))

    assert timedelta() < found.next_run - now <= timedelta(minutes=15)
    assert found.missed is None


def test_an_entry_that_is_off_is_neither_missed_nor_due():
    each = next(scheduled_entries(Settings(_env_file=None, api_key="pk_a", schedule={"profiles-events": "off"})))

    found = next(rows([each], [EntryRecord(**run(DUE - timedelta(days=9)), since=DUE - timedelta(days=20))], NOW))

    assert (found.state, found.missed, found.next_run, found.crontab) == ("off", None, None, None)


@pytest.fixture
def klaviyo(clean_settings, monkeypatch, tmp_path, client):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_a")
    monkeypatch.setenv("KLAVIYO_TIMEZONE", "Europe/Berlin")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    yield lambda *words: CliRunner().invoke(app, ["schedules", *words])
    forget()


def test_the_table_shows_state_remarks_and_reasons(klaviyo):
    failed = run_id(ENTRY, datetime.now(UTC))
    begin_run(failed, "one", 60)
    end_run(failed, False, "Klaviyo could not answer.")

    said = klaviyo()

    line = next(line for line in said.stdout.splitlines() if line.startswith("profiles-events"))
    assert "failed" in line
    assert "Klaviyo could not answer." in line
    assert "account default, times in Europe/Berlin" in said.stdout
    assert "Deletions appear in no list of changes" in said.stdout


def test_it_says_when_no_beat_is_running(klaviyo, client):
    assert "Beat is not running" in klaviyo().stderr

    client.set("klaviyo:redbeat:lock", "token")

    assert "Beat is not running" not in klaviyo().stderr


def test_another_program_reads_moments_with_their_offset(klaviyo):
    plan_entry(ENTRY, "7 1 * * *")

    found = {each["entry"]: each for each in json.loads(klaviyo("--json").stdout)}

    told = found["profiles-events"]
    assert datetime.fromisoformat(told["next_run"]).utcoffset() == timedelta(0)
    assert told["timezone"] == "Europe/Berlin"
    assert told["missed"] is None


def test_without_an_account_that_is_what_is_said(klaviyo, monkeypatch):
    monkeypatch.delenv("KLAVIYO_API_KEY")
    get_settings.cache_clear()

    assert "Nothing is scheduled. There is no account: set KLAVIYO_API_KEY" in klaviyo().stderr
