"""`klaviyo store`: where the store is, and what was done to it."""

import pytest
from typer.testing import CliRunner

from cli.commands import app
from cli.store import describe_upgrade
from schedules.store.engine import open_engine
from schedules.store.migrate import Upgrade, is_current
from worker.settings import get_settings


@pytest.fixture
def address(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLAVIYO_STORE_URL", "sqlite:///data/store.db")
    get_settings.cache_clear()
    yield "sqlite:///data/store.db"
    get_settings.cache_clear()


def klaviyo(*words):
    return CliRunner().invoke(app, list(words))


def test_a_store_is_created_once_and_the_second_time_nothing_is_done(address, tmp_path):
    first, second = klaviyo("store"), klaviyo("store")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout.startswith(f"The store at {tmp_path}/data/store.db was created (version ")
    assert "is up to date" in second.stdout
    engine = open_engine(address)
    assert is_current(engine)
    engine.dispose()


def test_an_upgrade_is_reported_with_both_versions():
    assert describe_upgrade(Upgrade("postgresql://user:***@host/name", "0001", "0002")) == (
        "The store at postgresql://user:***@host/name was upgraded from version 0001 to 0002."
    )


def test_a_store_that_cannot_be_reached_is_reported_without_its_password(monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("KLAVIYO_STORE_URL", "postgresql://user:hunter2@127.0.0.1:1/name")
    get_settings.cache_clear()

    result = klaviyo("store")

    get_settings.cache_clear()
    assert result.exit_code == 2
    assert "postgresql://user:***@127.0.0.1:1/name cannot be upgraded" in result.stderr
    assert "hunter2" not in result.output
