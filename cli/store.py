"""`klaviyo store`: create the tables of the store, or bring them up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, OperationalError

from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, say, stdout, stop
from schedules.store.connection import get_engine
from schedules.store.migrate import Upgrade, upgrade
from worker.settings import get_settings


def store() -> None:
    """Create the store that the syncs write to, or bring its tables up to date. Running it again does no harm."""
    done = upgrade(get_settings().store_url)
    stdout(soft_wrap=True).print(describe_upgrade(done))
    if _file(done):
        say(
            "It is one file, for processes on one machine. For several machines, set KLAVIYO_STORE_URL (PostgreSQL).",
            "dim",
        )


@contextmanager
def require_store() -> Iterator[None]:
    """Require a store of this version, and end the command with a sentence if it cannot be read or written."""
    code = EXIT_USAGE
    try:
        get_engine()
        code = EXIT_FAILED
        yield
    except (OperationalError, InterfaceError) as error:
        why = str(error.orig).strip().partition("\n")[0]
        raise stop(f"The store (KLAVIYO_STORE_URL) cannot be reached or written: {why}", code) from None


def describe_upgrade(done: Upgrade) -> str:
    """Say where the store is and what was done, in a sentence."""
    where = f"The store at {_file(done) or done.address}"
    if done.before is None:
        return f"{where} was created (version {done.now})."
    if done.before != done.now:
        return f"{where} was upgraded from version {done.before} to {done.now}."
    return f"{where} is up to date (version {done.now})."


def _file(done: Upgrade) -> Path | None:
    url = make_url(done.address)
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None
