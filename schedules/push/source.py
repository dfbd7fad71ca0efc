"""Where pushed rows come from: a file or mappings as for an import, or a query on the user's own database."""

from __future__ import annotations

from dataclasses import replace

from schedules.push.query import NAME, Query
from tasks.imports.run import Rows
from tasks.imports.sources import Source, open_rows
from worker.errors import InputError

#: The prefix of a source that is a query.
SQL = "sql:"


def open_source(rows: Rows, database_url: str | None) -> Source:
    """Open the source of a push.

    Raises:
        InputError, SourceError: it cannot be read, or it is not what it claims to be.

    """
    query = query_of(rows, database_url)
    return open_rows(rows) if query is None else replace(open_rows(query), name=NAME)


def query_of(rows: Rows, database_url: str | None) -> Query | None:
    """Return the query of a source; None if the source is no query.

    Raises:
        InputError, SourceError: the query is refused, or there is no database for it.

    """
    if not (isinstance(rows, str) and rows.startswith(SQL)):
        return None
    if not database_url:
        raise InputError("push", ["a source that is a query needs database_url"])
    return Query(database_url, rows.removeprefix(SQL))
