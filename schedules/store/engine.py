"""Opening a database by its URL: what SQLite needs to serve many threads, and JSON by orjson."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from schedules.store.types import dump_json
from worker.errors import SettingsError

#: How many connections there are at most; further threads wait for one. A worker's threads all fit.
MAX_CONNECTIONS = 32

#: How long a transaction waits for another one.
BUSY_TIMEOUT_S = 60

#: The execution option of a connection that does not write.
READ_ONLY = "klaviyo_reads"

_PRAGMAS = (
    "synchronous = NORMAL",  # a power cut loses the last transactions, not the file: the next sync reads them again
    f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",
    "foreign_keys = ON",
    "wal_autocheckpoint = 16000",  # pages, 64 MB: with the usual 4 MB a large sync waits for the disk twice as long
    "journal_size_limit = 16000000",  # bytes to which the log shrinks once it is written back, however long it has been
    "cache_size = -64000",  # 64 MB
    "temp_store = MEMORY",
)


def open_engine(url: str) -> Engine:
    """Make an engine for a URL; it connects at the first use.

    Raises:
        SettingsError: the URL names no database that the store can use.

    """
    address = _address(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    try:
        engine = create_engine(
            address,
            paramstyle="qmark" if is_sqlite else "format",  # positional: `schedules.store.rows` relies on it
            hide_parameters=True,  # they would appear in the text of every error
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            pool_size=MAX_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_use_lifo=True,  # the one used last has the warmest cache
            pool_pre_ping=not is_sqlite,
            connect_args={} if is_sqlite else {"connect_timeout": 10, "application_name": "klaviyo-worker"},
        )
    except ImportError:
        raise SettingsError(
            "KLAVIYO_STORE_URL is a PostgreSQL database: install the project's extra `postgres`"
        ) from None
    if is_sqlite:
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
    except ArgumentError:
        raise SettingsError("KLAVIYO_STORE_URL is not the URL of a database") from None
    if address.get_backend_name() not in ("sqlite", "postgresql") or not address.database:
        raise SettingsError("KLAVIYO_STORE_URL must be sqlite:///a/path or postgresql://user:password@host/database")
    return address


def _set_up(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver starts no transactions of its own; `_begin` does
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """Let readers never wait. Two processes that create the file at once refuse each other this, so try again."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _begin(connection: Connection) -> None:
    # A transaction that starts by reading cannot wait for its turn to write: SQLite would refuse it at once.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READ_ONLY) else "BEGIN IMMEDIATE")
