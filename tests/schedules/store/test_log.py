"""SQLite's log beside the store's file, which never shrinks by itself."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from schedules.store.connection import checkpoint_wal, reading, transaction

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

#: Bytes of each transaction, and what the log may come to: where it is written back, and the last of them.
MEGABYTE, MOST = 1_000_000, 80_000_000


@pytest.fixture
def log(store):
    return Path(f"{make_url(store).database}-wal")


def write(times):
    for _ in range(times):
        with transaction() as connection:
            connection.exec_driver_sql(
                "INSERT INTO tags (account, id, name, attributes, synced_at) "
                f"VALUES ('a', hex(randomblob(8)), hex(zeroblob({MEGABYTE // 2})), '{{}}', '2026-01-01')"
            )


def test_it_is_bounded_while_much_is_written_and_empty_when_a_run_has_ended(log):
    write(100)
    assert log.stat().st_size < MOST

    checkpoint_wal()

    assert log.stat().st_size == 0


def test_what_a_long_reader_has_kept_in_it_goes_with_the_next_write(log):
    with reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM tags").scalar()
        write(100)
        checkpoint_wal()
        assert log.stat().st_size > MOST

    write(2)

    assert log.stat().st_size < MOST
