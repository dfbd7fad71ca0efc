"""The one engine of this process, and its connections. Nothing is opened at import."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import lru_cache

from sqlalchemy import Connection, Engine

from schedules.store.engine import BUSY, READS, open_engine
from schedules.store.migrate import is_current
from worker.errors import SettingsError
from worker.settings import get_settings

#: SQLite has one writer at a time, and lets the others try until they are lucky: in one process they queue up instead.
#: The lock lets its own thread through, so that a transaction inside of another is an error and not a standstill.
_writing = threading.RLock()

#: Threads that come at the same time would open an engine each.
_opening = threading.Lock()


def close() -> None:
    """Let go of the engine and its connections; the next use opens another."""
    with _opening:
        if _engine.cache_info().currsize:
            _engine().dispose()
        _engine.cache_clear()


def get_engine() -> Engine:
    """A thread-safe engine, once it is known to lead to a store of this version.

    Raises:
        SettingsError: the store was not made, or not upgraded since the project was.

    """
    with _opening:
        return _engine()


#: The engine of a forked child's parent. It is kept: SQLite's files do not bear a close by another process.
_of_parent: list[Engine] = []


def _leave_to_parent() -> None:
    """Begin without an engine in a forked child: the one it has got is its parent's, and so are the locks."""
    global _writing, _opening
    _writing, _opening = threading.RLock(), threading.Lock()
    if _engine.cache_info().currsize:
        _of_parent.append(_engine())
    _engine.cache_clear()


os.register_at_fork(after_in_child=_leave_to_parent)


@lru_cache(maxsize=1)
def _engine() -> Engine:
    engine = open_engine(get_settings().store_url)
    if is_current(engine):
        return engine
    shown = engine.url.render_as_string(hide_password=True)
    engine.dispose()
    raise SettingsError(f"the store at {shown} is not of this version: run `klaviyo store`")


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection on which everything happens or, after an exception, nothing."""
    engine = get_engine()
    with _writing if engine.dialect.name == "sqlite" else nullcontext(), engine.begin() as connection:
        yield connection


def tidy() -> None:
    """Write SQLite's log back into its file and empty it, unless somebody reads or writes; else it stays as it is."""
    if get_engine().dialect.name != "sqlite":
        return
    with get_engine().connect() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        # What cannot be written back now, on a full disk, can be later.
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY * 1000}")


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection that does not write, beside those that do."""
    with get_engine().execution_options(**{READS: True}).connect() as connection:
        yield connection
