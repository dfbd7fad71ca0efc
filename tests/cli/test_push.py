"""`klaviyo push` as a user types it."""

import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from cli import push as command
from cli.commands import app
from schedules.push.kinds import Push
from schedules.push.report import PushReport

REPORT = PushReport(
    run=7, stream="profiles:crm", account="default", state="done", rows=10, unchanged=6, checked=1, created=2,
    updated=1, deleted=0, rejected=0, unknown=0, requests=1, seconds=2.5, reasons=(("email: is malformed", 1),),
)  # fmt: skip


@pytest.fixture
def pushed(monkeypatch):
    monkeypatch.setattr(command, "configured_push", lambda name: Push("profiles", "crm.csv", name))
    monkeypatch.setattr("cli.store.get_engine", lambda: None)
    monkeypatch.setattr(command, "warn_without_worker", lambda: None)
    monkeypatch.setattr(command, "run_push", lambda wanted, force: REPORT)


def test_what_was_sent_and_what_was_not_is_shown(pushed):
    result = CliRunner().invoke(app, ["push", "crm"])

    assert result.exit_code == 1
    assert "unchanged" in result.stdout
    assert "email: is malformed (1)" in result.stderr


def test_a_report_for_other_programs_is_json(pushed):
    result = CliRunner().invoke(app, ["push", "crm", "--json"])

    assert '"landed": 3' in result.stdout


def test_an_outage_of_the_store_is_one_sentence(pushed, monkeypatch):
    def full(wanted, force):
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(command, "run_push", full)
    result = CliRunner().invoke(app, ["push", "crm"])

    assert result.exit_code == 1
    assert result.stderr == "The store (KLAVIYO_STORE_URL) cannot be reached or written: database or disk is full\n"


def test_a_push_that_is_not_defined_is_one_sentence(monkeypatch):
    monkeypatch.delenv("KLAVIYO_PUSHES", raising=False)

    result = CliRunner().invoke(app, ["push", "nothing"])

    assert result.exit_code == 2
    assert "there is no push 'nothing'" in result.stderr
