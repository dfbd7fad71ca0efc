"""One function creates and upgrades the store, however often and by however many at once it is called."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select

from schedules.store.connection import get_engine
from schedules.store.engine import open_engine
from schedules.store.migrate import _config, is_current, upgrade
from schedules.store.tables import UNKNOWN_JOIN, list_members, metadata
from tests.live.forked import Forked, inherited
from worker.errors import SettingsError
from worker.settings import Settings, get_settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def empty_store_url(new_database):
    return new_database(None)


@pytest.fixture
def engine(empty_store_url):
    engine = open_engine(empty_store_url)
    yield engine
    engine.dispose()


ASKED = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from schedules.store.engine import open_engine
from schedules.store.migrate import is_current, upgrade
upgrade(sys.argv[1])
assert is_current(open_engine(sys.argv[1]))
"""


def test_a_worker_that_looks_at_its_store_logs_nothing_of_alembics_own(tmp_path):
    command = [sys.executable, "-c", ASKED, f"sqlite:///{tmp_path}/store.db"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stderr == ""


def test_an_upgraded_store_has_the_tables_of_the_code(engine, empty_store_url):
    upgrade(empty_store_url)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert is_current(engine)


def test_an_upgrade_may_be_run_twice(engine, empty_store_url):
    upgrade(empty_store_url)
    tables = inspect(engine).get_table_names()

    upgrade(empty_store_url)

    assert inspect(engine).get_table_names() == tables


def test_two_processes_may_upgrade_at_once(engine, empty_store_url, tmp_path):
    program = f"from schedules.store.migrate import upgrade; upgrade({empty_store_url!r})"
    logs = tmp_path / "one.log", tmp_path / "another.log"
    both = [Forked(["-c", program], inherited(), log) for log in logs]

    codes = [process.wait(timeout=240) for process in both]

    assert codes == [0, 0], [log.read_text() for log in logs]
    assert is_current(engine)


def test_an_upgrade_that_fails_leaves_nothing(engine, empty_store_url):
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE watermarks (mine INTEGER)")

    with pytest.raises(SettingsError, match="cannot be upgraded"):
        upgrade(empty_store_url)

    assert inspect(engine).get_table_names() == ["watermarks"]


def test_a_store_of_a_newer_version_is_left_alone(engine, empty_store_url):
    upgrade(empty_store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SettingsError, match="Can't locate revision identified by '9999'"):
        upgrade(empty_store_url)

    assert not is_current(engine)


def test_a_store_that_was_not_made_is_reported_with_the_command_that_makes_it(empty_store_url, monkeypatch):
    monkeypatch.setenv("KLAVIYO_STORE_URL", empty_store_url)
    get_settings.cache_clear()

    with pytest.raises(SettingsError, match="run `klaviyo store`"):
        get_engine()

    get_settings.cache_clear()


def test_only_the_owner_may_enter_a_new_folder_for_customers_data(tmp_path):
    upgrade(f"sqlite:///{tmp_path}/new/store.db")

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/klaviyo", "sqlite://", "postgresql://db", "klaviyo:hunter2"])
def test_an_address_that_the_store_cannot_use_is_reported_without_its_password(url):
    with pytest.raises(SettingsError, match="KLAVIYO_STORE_URL") as caught:
        open_engine(url)

    assert "hunter2" not in str(caught.value)


def test_a_database_that_cannot_be_reached_is_reported_without_its_password(tmp_path):
    with pytest.raises(SettingsError, match="cannot be upgraded") as caught:
        upgrade(f"postgresql://klaviyo:hunter2@/store?host={tmp_path}")

    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match=r"cannot be upgraded: .*Not a directory"):
        upgrade(f"sqlite:///{tmp_path}/file/inside/store.db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_spellings_of_postgresql_lead_to_the_driver_that_is_locked(scheme):
    assert open_engine(f"{scheme}://klaviyo@db/store").driver == "psycopg"


def test_no_password_shows_in_a_settings_repr():
    assert "hunter2" not in repr(Settings(store_url="postgresql://klaviyo:hunter2@db/store"))


def test_rows_are_in_no_text_of_an_error(engine):
    with pytest.raises(Exception, match="nowhere") as caught, engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO nowhere VALUES (" + ("?" if engine.dialect.name == "sqlite" else "%s") + ")",
            ("ada@example.com",),
        )

    assert "ada@example.com" not in str(caught.value)


def test_members_of_an_older_store_are_kept_with_the_time_of_their_joining(engine, empty_store_url):
    members = "INSERT INTO list_members (account, list_id, profile_id, joined_at, synced_at) VALUES "
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0002")
        connection.exec_driver_sql(
            members + "('default', 'L1', 'P1', '2026-11-24 12:00:00.000000', '2026-11-24 12:00:00.000000'), "
            "('default', 'L1', 'P2', NULL, '2026-11-24 12:00:00.000000')"
        )

    upgrade(empty_store_url)

    with engine.connect() as connection:
        found = connection.execute(select(list_members.c.profile_id, list_members.c.joined_at)).all()
    assert {tuple(row) for row in found} == {("P1", datetime(2026, 11, 24, 12, tzinfo=UTC)), ("P2", UNKNOWN_JOIN)}
