"""Where pushed rows come from: a file or mappings as for an import, or a query to a database of the user's own."""

from __future__ import annotations

from dataclasses import replace

from schedules.push.query import NAME, Query
from tasks.imports.run import Rows
from tasks.imports.sources import Source, source_of
from worker.errors import InputError

#: What a source begins with that is a query.
SQL = "sql:"


def opened(rows: Rows, database_url: str | None) -> Source:
    """The source of a push.

    Raises:
        InputError, SourceError: it cannot be read, or it is not what it claims to be.

    """
    query = query_of(rows, database_url)
    return source_of(rows) if query is None else replace(source_of(query), name=NAME)


def query_of(rows: Rows, database_url: str | None) -> Query | None:
    """The query that a source is; None where it is none.

    Raises:
        InputError, SourceError: it can be none, or leads to no database.

    """
    if not (isinstance(rows, str) and rows.startswith(SQL)):
        return None
    if not database_url:
        raise InputError("push", ["a source that is a query needs a database_url"])
    return Query(database_url, rows.removeprefix(SQL))
