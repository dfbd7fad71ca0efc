"""A query as a source only reads: whatever it says, nothing in the database changes and no file is created."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError

from schedules.push.query import read_only_engine, require_query
from schedules.push.source import open_source
from schedules.store.engine import open_engine
from worker.errors import InputError, SourceError


@pytest.fixture
def products(new_database):
    """A database with a table of two products."""
    url = new_database(None)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE products (sku TEXT)")
        connection.exec_driver_sql("INSERT INTO products VALUES ('one'), ('two')")
    yield url
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM products").scalar() == 2
    engine.dispose()


def rows(statement, url):
    return [dict(row) for batch in open_source(f"sql:{statement}", url).batches() for row in batch.rows]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE products",
        "  -- nightly\n/* all of it */ delete from products",
        "INSERT INTO products VALUES ('three')",
        "(UPDATE products SET sku = 'x')",
        "PRAGMA user_version = 7",
        "ATTACH DATABASE 'other.db' AS other",
        "",
    ],
)
def test_a_statement_that_returns_no_rows_is_refused_before_it_reaches_the_database(products, statement):
    with pytest.raises(InputError, match="the query does not return rows"):
        rows(statement, products)


@pytest.mark.parametrize(
    "statement",
    ["SELECT sku FROM products; DROP TABLE products", "SELECT ';' ; COMMIT; DROP TABLE products", "SELECT $a$;$a$; x"],
)
def test_a_query_of_two_statements_is_refused(products, statement):
    with pytest.raises(InputError, match="more than one statement"):
        rows(statement, products)


def test_a_query_that_writes_by_the_way_is_refused_by_the_database(products):
    with pytest.raises(SourceError, match="the query: the database says"):
        rows("WITH gone AS (DELETE FROM products RETURNING sku) SELECT sku FROM gone", products)


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_function_that_a_query_calls_cannot_write_either(products):
    engine = open_engine(products)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION clear() RETURNS text LANGUAGE sql AS 'DELETE FROM products RETURNING sku'"
        )
    engine.dispose()

    with pytest.raises(SourceError, match="read-only transaction"):
        rows("SELECT clear() AS sku", products)


def test_the_connection_itself_refuses_to_write(products):
    engine = read_only_engine(products)

    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.exec_driver_sql("DROP TABLE products")
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sku FROM products ORDER BY sku DESC;",
        "WITH all_of_them AS (SELECT sku FROM products) SELECT sku FROM all_of_them ORDER BY sku DESC ; -- the end",
        "/* ; */ SELECT sku AS sku FROM products WHERE sku <> 'a;b''c;' ORDER BY 1 DESC",
    ],
)
def test_semicolons_that_end_no_statement_are_accepted(products, statement):
    assert rows(statement, products) == [{"sku": "two"}, {"sku": "one"}]


def test_a_semicolon_in_a_comment_at_the_end_stays_where_it_is():
    assert require_query("SELECT 1 -- one; only") == "SELECT 1 -- one; only"
    assert require_query("VALUES (1);") == "VALUES (1)"


def test_a_sqlite_file_that_does_not_exist_is_reported_and_not_made(tmp_path):
    file = tmp_path / "shop.db"

    with pytest.raises(
        SourceError, match=r"the query: database_url names the SQLite file .*shop\.db, which does not exist"
    ):
        rows("SELECT 1 AS sku", f"sqlite:///{file}")

    assert list(tmp_path.iterdir()) == []


def test_a_sqlite_uri_is_opened_for_reading_whatever_it_says(tmp_path):
    with pytest.raises(SourceError, match="unable to open database file"):
        rows("SELECT 1 AS sku", f"sqlite:///file:{tmp_path}/shop.db?mode=rwc&uri=true")

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_an_awkward_name_is_found_beside_its_writer(tmp_path):
    file = tmp_path / "shop 100% #1.db"
    writer = sqlite3.connect(file)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE products AS SELECT 'one' AS sku")
    writer.commit()

    assert rows("SELECT sku FROM products", f"sqlite:///{file}") == [{"sku": "one"}]
    writer.close()
