"""Where pushed rows come from: a file or mappings as for an import, or a query to a database of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, ProgrammingError

from tasks.imports.run import Rows
from tasks.imports.sources import ROWS, Source, source_of
from worker.errors import InputError, SourceError

#: What a source begins with that is a query.
SQL = "sql:"


def opened(rows: Rows, database_url: str | None) -> Source:
    """The source of a push.

    Raises:
        InputError, SourceError: it cannot be read, or it is not what it claims to be.

    """
    if not (isinstance(rows, str) and rows.startswith(SQL)):
        return source_of(rows)
    if not database_url:
        raise InputError("push", ["a source that is a query needs a database_url"])
    return replace(source_of(Query(database_url, rows.removeprefix(SQL).strip())), name="the query")


class Query(Iterable[Mapping[str, Any]]):
    """The rows of a query, which is asked anew each time they are read; never more than a few are held."""

    def __init__(self, database_url: str, statement: str) -> None:
        self._engine = _engine(database_url)
        self._statement = statement

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        # The statement travels as it is written: no colon and no percent sign in it means a parameter.
        options = {"yield_per": ROWS, "no_parameters": True}
        try:
            with self._engine.connect().execution_options(**options) as connection:
                for row in connection.exec_driver_sql(self._statement).mappings():
                    yield {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
        except DBAPIError as error:
            raise SourceError("the query", _reason(error)) from None
        finally:
            self._engine.dispose()


def _engine(database_url: str) -> Engine:
    try:
        return create_engine(database_url, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError):
        raise InputError("push", ["database_url is not the address of a database that SQLAlchemy knows"]) from None
    except ImportError as error:
        raise InputError("push", [f"database_url needs a driver that is not installed: {error.name}"]) from None


def _reason(error: DBAPIError) -> str:
    """What the database says where that is about the query or the connection; else it may be about a person."""
    said = str(error.orig).strip().partition("\n")[0]
    return (
        f"the database says: {said}"
        if isinstance(error, OperationalError | ProgrammingError)
        else (f"the database gave it up with a {type(error.orig).__name__}")
    )
