"""Whether a store is a file, found out without SQLAlchemy: most processes need to know no more."""

from __future__ import annotations

from pathlib import Path

_SQLITE = "sqlite:///"


def file_of(url: str) -> Path | None:
    """The file of the store at this address; None where it is none of SQLite's."""
    path = url.removeprefix(_SQLITE).partition("?")[0]
    return Path(path) if url.startswith(_SQLITE) and path else None
