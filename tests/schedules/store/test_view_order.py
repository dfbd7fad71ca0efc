"""A view is read in bounded memory."""

import pytest

from schedules.store.engine import open_engine
from schedules.store.migrate import upgrade
from schedules.store.views import VIEWS

#: Its rows are few: SQLite sorts what it has counted.
COUNTED = "events_by_metric_and_day"


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    upgrade(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("name", [name for name in VIEWS if name != COUNTED])
def test_sqlite_reads_a_view_in_the_order_of_an_index_and_sorts_nothing_in_memory(connection, name):
    assert not sorted_in_memory(connection, name)


def test_sqlite_counts_events_in_the_order_of_an_index(connection):
    assert "GROUP BY" not in " ".join(sorted_in_memory(connection, COUNTED))


def sorted_in_memory(connection, name):
    chosen = f"SELECT * FROM {name} WHERE account = 'default' ORDER BY {', '.join(VIEWS[name].order)}"
    steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {chosen}")]
    return [step for step in steps if "TEMP B-TREE" in step]
