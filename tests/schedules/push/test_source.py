"""Rows of a query: streamed, read again each time; one sentence if they cannot be read."""

from __future__ import annotations

from uuid import UUID

import pytest

from schedules.push.source import open_source
from schedules.store.engine import open_engine
from worker.errors import InputError, SourceError


@pytest.fixture
def database(new_database):
    url = new_database(None)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE people (email TEXT, spent NUMERIC(9, 2))")
        connection.exec_driver_sql("INSERT INTO people VALUES ('ada@example.com', 12.5), ('eve@example.com', NULL)")
    yield url
    engine.dispose()


def rows(source):
    return [dict(row) for batch in source.batches() for row in batch.rows]


def test_a_query_is_run_again_each_time_its_rows_are_read(database):
    source = open_source("sql: SELECT email, spent FROM people ORDER BY email", database)

    assert source.columns is None
    assert rows(source) == rows(source)
    assert [(row["email"], row["spent"] and float(row["spent"])) for row in rows(source)] == [
        ("ada@example.com", 12.5), ("eve@example.com", None),
    ]  # fmt: skip


def test_percent_signs_and_colons_of_a_query_are_its_own(database):
    source = open_source("sql:SELECT ':x' || email AS email FROM people WHERE email LIKE 'a%'", database)

    assert rows(source) == [{"email": ":xada@example.com"}]


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_an_id_that_is_a_uuid_travels_as_text(database):
    id = "00000000-0000-0000-0000-000000000007"
    source = open_source(f"sql:SELECT CAST('{id}' AS uuid) AS external_id", database)

    assert rows(source) == [{"external_id": str(UUID(id))}]


def test_a_query_that_is_wrong_is_reported_in_the_databases_words(database):
    with pytest.raises(SourceError, match=r"the query: the database says: .*nothing"):
        rows(open_source("sql:SELECT * FROM nothing", database))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "needs database_url"),
        ("no address", "not the URL of a database"),
        ("informix://shop", "not the URL of a database"),
        ("mysql+pymysql://shop/db", "needs a driver that is not installed: pymysql"),
    ],
)
def test_a_database_url_that_names_no_database_is_refused_before_anything_is_read(url, problem):
    with pytest.raises(InputError, match=problem):
        open_source("sql:SELECT 1", url)
