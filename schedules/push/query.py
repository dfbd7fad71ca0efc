"""A query to a database of the user's own as a source of rows. It can read there, and do nothing else.

Three things see to that, since none holds alone. The statement has to be a single one that begins like a question. The
transaction is one that the database itself lets read only, where it knows such a thing, and it is never committed. A
SQLite file is opened for reading only, so one that is not there is not made.
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

from tasks.imports.sources import ROWS
from worker.errors import InputError, SourceError

#: What a source of this kind is called in errors.
NAME = "the query"

#: How a statement begins that asks for rows.
QUESTIONS = ("SELECT", "WITH", "VALUES", "TABLE")

#: Texts, quoted names, dollar-quoted texts and comments: in these a semicolon ends nothing.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$|(--[^\n]*|/\*.*?\*/)", re.DOTALL)

#: What makes transactions read-only, by the database. For PostgreSQL SQLAlchemy has an option.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


class Query(Iterable[Mapping[str, Any]]):
    """The rows of a query, which is asked anew each time they are read; never more than a few are held.

    Raises:
        InputError: the statement does more than ask, or the address is none.
        SourceError: there is no such SQLite file, or, once rows are read, the database refuses.

    """

    def __init__(self, database_url: str, statement: str) -> None:
        self._statement = question(statement)
        self._engine = reading_engine(database_url)

    def columns(self) -> list[str]:
        """The names of what it asks for, as the database tells them without giving a row."""
        with self._asked() as result:
            return list(result.keys())

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        with self._asked() as result:
            for row in result.mappings():
                yield {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}

    @contextmanager
    def _asked(self) -> Iterator[CursorResult[Any]]:
        # The statement travels as it is written: no colon and no percent sign in it means a parameter.
        options: dict[str, Any] = {"yield_per": ROWS, "no_parameters": True}
        try:
            with self._engine.connect().execution_options(**options) as connection:
                yield connection.exec_driver_sql(self._statement)
        except DBAPIError as error:
            raise SourceError(NAME, _reason(error)) from None
        finally:
            self._engine.dispose()


def question(statement: str) -> str:
    """The statement, if it is one, and one that asks for rows; without the semicolon at its end.

    Raises:
        InputError: it is something else.

    """
    bare = _QUOTED.sub(lambda found: " " if found[2] else "''", statement).strip()
    if ";" in bare.rstrip("; \t\r\n"):
        raise InputError("push", ["the query is more than one statement; a source is a single SELECT"])
    begins = re.match(r"[(\s]*(\w*)", bare)
    if not begins or begins[1].upper() not in QUESTIONS:
        raise InputError(
            "push", ["the query does not ask for rows: a source begins with SELECT, WITH, VALUES or TABLE"]
        )
    return statement.strip().rstrip(";") if bare.endswith(";") else statement.strip()


def reading_engine(database_url: str) -> Engine:
    """An engine whose connections can only read; none is made before it is asked for.

    Raises:
        InputError: the address is none, or its driver is missing.
        SourceError: it leads to a SQLite file that is not there.

    """
    try:
        engine = create_engine(_for_reading(make_url(database_url)), hide_parameters=True)
    except (ArgumentError, NoSuchModuleError):
        raise InputError("push", ["database_url is not the address of a database that SQLAlchemy knows"]) from None
    except ImportError as error:
        raise InputError("push", [f"database_url needs a driver that is not installed: {error.name}"]) from None
    if engine.dialect.name == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    if statement := _READ_ONLY.get(engine.dialect.name):
        event.listen(engine, "begin", lambda connection: _told(connection, statement))
    return engine


def _told(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _for_reading(url: URL) -> URL:
    """The address, with which SQLite opens a file as it is: to read it, and only where it exists."""
    file = url.database or ""
    if url.get_backend_name() != "sqlite" or file in ("", ":memory:"):
        return url
    if not file.startswith("file:"):
        if not Path(file).is_file():
            raise SourceError(NAME, f"there is no SQLite file {Path(file).absolute()}, to which database_url leads")
        file = f"file:{quote(file)}"
    return url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})


def _reason(error: DBAPIError) -> str:
    """What the database says where that is about the query or the connection; else it may be about a person."""
    said = str(error.orig).strip().partition("\n")[0]
    if isinstance(error, InternalError | NotSupportedError | OperationalError | ProgrammingError):
        return f"the database says: {said}"
    return f"the database gave it up with a {type(error.orig).__name__}"
