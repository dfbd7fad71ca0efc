"""A query on the user's own database as a source of rows. It can read there, and do nothing else.

Three measures ensure that, since none is enough alone. The statement must be a single one that begins like a query. The
transaction is read-only where the database knows such a thing, and is never committed. A SQLite file is opened for
reading only, so a missing one is not created.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import Connection, CursorResult, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InternalError,
    NoSuchModuleError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from tasks.imports.sources import BATCH_ROWS
from worker.errors import InputError, SourceError

#: The name of such a source in errors.
NAME = "the query"

#: The first word of a statement that returns rows.
QUERY_KEYWORDS = ("SELECT", "WITH", "VALUES", "TABLE")

#: Strings, quoted names, dollar-quoted strings and comments: a semicolon in these ends no statement.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$|(--[^\n]*|/\*.*?\*/)", re.DOTALL)

#: The statement that makes transactions read-only, by database. SQLAlchemy has an option for PostgreSQL.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


class Query(Iterable[Mapping[str, Any]]):
    """The rows of a query, which is run again each time they are iterated; only a few are held at a time.

    Raises:
        InputError: the statement does more than read, or the URL is not one of a database.
        SourceError: there is no such SQLite file, or, once rows are read, the database refuses.

    """

    def __init__(self, database_url: str, statement: str) -> None:
        self._statement = require_query(statement)
        self._engine = read_only_engine(database_url)

    def columns(self) -> list[str]:
        """Return the names of its columns, without fetching a row."""
        with self._executed() as result:
            return list(result.keys())

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        with self._executed() as result:
            for row in result.mappings():
                yield {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}

    @contextmanager
    def _executed(self) -> Iterator[CursorResult[Any]]:
        # The statement is sent unchanged: no colon or percent sign in it marks a parameter.
        options: dict[str, Any] = {"yield_per": BATCH_ROWS, "no_parameters": True}
        try:
            with self._engine.connect().execution_options(**options) as connection:
                yield connection.exec_driver_sql(self._statement)
        except DBAPIError as error:
            raise SourceError(NAME, _reason(error)) from None
        finally:
            self._engine.dispose()


def require_query(statement: str) -> str:
    """Return the statement without its trailing semicolon, if it is a single one that returns rows.

    Raises:
        InputError: it is several statements, or one that does not return rows.

    """
    bare = _QUOTED.sub(lambda found: " " if found[2] else "''", statement).strip()
    if ";" in bare.rstrip("; \t\r\n"):
        raise InputError("push", ["the query is more than one statement; write a single SELECT"])
    begins = re.match(r"[(\s]*(\w*)", bare)
    if not begins or begins[1].upper() not in QUERY_KEYWORDS:
        raise InputError("push", ["the query does not return rows: it has to begin with SELECT, WITH, VALUES or TABLE"])
    return statement.strip().rstrip(";") if bare.endswith(";") else statement.strip()


def read_only_engine(database_url: str) -> Engine:
    """Make an engine whose connections can only read; it connects at the first use.

    Raises:
        InputError: the URL is not one of a database, or its driver is missing.
        SourceError: it names a SQLite file that does not exist.

    """
    try:
        engine = create_engine(_for_reading(make_url(database_url)), hide_parameters=True)
    except (ArgumentError, NoSuchModuleError):
        raise InputError("push", ["database_url is not the URL of a database that SQLAlchemy knows"]) from None
    except ImportError as error:
        raise InputError("push", [f"database_url needs a driver that is not installed: {error.name}"]) from None
    if engine.dialect.name == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    if statement := _READ_ONLY.get(engine.dialect.name):
        event.listen(engine, "begin", lambda connection: _execute(connection, statement))
    return engine


def _execute(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _for_reading(url: URL) -> URL:
    """Return the URL with which SQLite opens a file for reading, and only if it exists."""
    file = url.database or ""
    if url.get_backend_name() != "sqlite" or file in ("", ":memory:"):
        return url
    if not file.startswith("file:"):
        if not Path(file).is_file():
            raise SourceError(NAME, f"database_url names the SQLite file {Path(file).absolute()}, which does not exist")
        file = f"file:{quote(file)}"
    return url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})


def _reason(error: DBAPIError) -> str:
    """Return the database's message if it is about the query or the connection; any other may contain personal data."""
    said = str(error.orig).strip().partition("\n")[0]
    if isinstance(error, InternalError | NotSupportedError | OperationalError | ProgrammingError):
        return f"the database says: {said}"
    return f"the database failed with a {type(error.orig).__name__}"
