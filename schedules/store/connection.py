"""The engine of this process and its connections. Nothing is opened at import."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import lru_cache

from sqlalchemy import Connection, Engine

from schedules.store.engine import BUSY_TIMEOUT_S, READ_ONLY, open_engine
from schedules.store.migrate import is_current
from worker.errors import SettingsError
from worker.settings import get_settings

#: SQLite allows one writer at a time and lets the others retry until they are lucky: within a process they queue here
#: instead. The lock is reentrant, so that a transaction within another is an error and not a deadlock.
_writing = threading.RLock()

#: Threads that arrive at the same time would open an engine each.
_opening = threading.Lock()


def close() -> None:
    """Close the engine and its connections; the next use opens another."""
    with _opening:
        if _engine.cache_info().currsize:
            _engine().dispose()
        _engine.cache_clear()


def get_engine() -> Engine:
    """Return this process's engine, which is thread-safe, once its store is known to be of this version.

    Raises:
        SettingsError: the store was not created, or not upgraded to this version.

    """
    with _opening:
        return _engine()


#: In a forked child, its parent's engine. It is kept open: SQLite does not tolerate that another process closes it.
_of_parent: list[Engine] = []


def _leave_to_parent() -> None:
    """Start a forked child without an engine: the one it inherits is its parent's, and so are the locks."""
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
    raise SettingsError(f"the store at {shown} lacks the tables of this version: run `klaviyo store`")


@contextmanager
def transaction() -> Iterator[Connection]:
    """Give a connection in a transaction, which is committed at the end or, after an exception, rolled back."""
    engine = get_engine()
    with _writing if engine.dialect.name == "sqlite" else nullcontext(), engine.begin() as connection:
        yield connection


def checkpoint_wal() -> None:
    """Write SQLite's log back into its file and empty it; do nothing while somebody else reads or writes."""
    if get_engine().dialect.name != "sqlite":
        return
    with get_engine().connect() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        # What cannot be written back now, on a full disk, will be later.
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")


@contextmanager
def reading() -> Iterator[Connection]:
    """Give a connection for reading, which waits for no writer."""
    with get_engine().execution_options(**{READ_ONLY: True}).connect() as connection:
        yield connection
