"""Writing rows so that it may happen twice, late or out of order: the store ends up the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, and_, case, func, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from schedules.store.tables import NEWEST

Row = Mapping[str, Any]
Columns = tuple[tuple[str, Callable[[Any], Any] | None], ...]

#: The two have the same methods, but no common base class that has them.
_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def upsert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert the rows, or replace those with the same keys, unless the stored row is newer.

    `seen` is always that of the later scan, whichever row is newer: what a scan has found exists, even if another run
    has read it since. A row without `deleted_at` is not deleted. Rows are written in the order of their keys: otherwise
    two pages with rows in common could deadlock in PostgreSQL.
    """
    statement, columns = _prepared(table, connection.dialect)
    # Of two rows with the same key, the later one on the page is the newer one: sorting keeps their order.
    ordered = sorted(rows, key=itemgetter(*(column.name for column in table.primary_key)))
    if ordered:
        connection.exec_driver_sql(statement, [_values(columns, row) for row in ordered])


def insert_missing(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert the rows whose keys are not stored yet, and leave the others as they are."""
    if listed := list(rows):
        connection.execute(_INSERTS[connection.dialect.name](table).on_conflict_do_nothing(), listed)


def _values(columns: Columns, row: Row) -> tuple[Any, ...]:
    return tuple([row.get(name) if form is None else form(row.get(name)) for name, form in columns])


@lru_cache
def _prepared(table: Table, dialect: Dialect) -> tuple[str, Columns]:
    """Return the statement as the driver takes it, and each column with the conversion of its type.

    SQLAlchemy would work them out at each execution, which for a thousand rows takes longer than the database does.
    """
    compiled = _upsert(table, dialect.name).compile(dialect=dialect)
    forms = [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in table.columns]
    return str(compiled), tuple(forms)


def _upsert(table: Table, dialect: str) -> Insert:
    statement = _INSERTS[dialect](table)
    new, newest = statement.excluded, table.info[NEWEST]
    newer = new[newest] >= table.c[newest]
    changed: dict[str, ColumnElement[Any]] = {
        column.name: new[column.name] for column in table.columns if not column.primary_key
    }
    if "seen" in changed:
        later = func.coalesce(new.seen > table.c.seen, new.seen.is_not(None))
        # If a row is only written to update `seen`, its other columns stay.
        changed = {name: case((newer, value), else_=table.c[name]) for name, value in changed.items()}
        changed["seen"] = case((later, new.seen), else_=table.c.seen)
        newer = or_(newer, later)
    written: Insert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed, where=newer)
    return written


def mark_deleted(connection: Connection, table: Table, account: str, scan: int, began: datetime, **within: Any) -> int:
    """Mark the rows that a full scan has not seen as deleted, and return their number. Call it when the scan has ended.

    ``within`` names the part of the table that was scanned, ``list_id="…"``; without it, all of the table was. Rows
    that were read after the scan began stay: they are new, or another run has found them meanwhile.
    """
    unseen = or_(table.c.seen.is_(None), table.c.seen != scan)
    part = [table.c[name] == value for name, value in within.items()]
    gone = and_(table.c.account == account, *part, unseen, table.c.synced_at < began, table.c.deleted_at.is_(None))
    # `synced_at` too: a page of an earlier scan that is delivered again must not bring the row back.
    marked = update(table).where(gone).values(deleted_at=began, synced_at=began)
    return connection.execute(marked).rowcount


def mark_seen(connection: Connection, table: Table, account: str, scan: int, **within: Any) -> None:
    """Mark this part of a table as seen by a full scan that could not read it; what was deleted before stays so."""
    part = [table.c[name] == value for name, value in within.items()]
    kept = and_(table.c.account == account, *part, table.c.deleted_at.is_(None))
    connection.execute(update(table).where(kept).values(seen=scan))
