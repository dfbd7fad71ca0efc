"""Which rows came before, in bounded memory however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

#: Keys in the quick set. What is more goes to a file: a million keys in a set would be a hundred megabytes.
IN_MEMORY = 250_000
#: One byte for each of so many remainders of keys in the file: whoever's byte is not set is not there.
SIEVE = 1 << 24


class Seen:
    """The keys, 64-bit hashes, of all rows so far."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._recent: set[int] = set()
        self._sieve: bytearray | None = None
        self._file: sqlite3.Connection | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._recent or self._filed(key)

    def add(self, keys: Sequence[int]) -> list[int]:
        """Add the keys of further rows; the places of those that came before, in an earlier call or in this one."""
        new = set(keys)
        if len(new) == len(keys) and self._recent.isdisjoint(new) and not self._any_filed(new):
            self._recent |= new
            repeated = []
        else:
            repeated = [place for place, key in enumerate(keys) if self._known(key)]
        if len(self._recent) >= self._in_memory:
            self._spill()
        return repeated

    def _known(self, key: int) -> bool:
        if key in self:
            return True
        self._recent.add(key)
        return False

    def _any_filed(self, keys: set[int]) -> bool:
        if self._sieve is None:
            return False
        sieve, last = self._sieve, SIEVE - 1
        return any(self._filed(key) for key in [key for key in keys if sieve[key & last]])

    def _filed(self, key: int) -> bool:
        if self._sieve is None or self._file is None or not self._sieve[key & (SIEVE - 1)]:
            return False
        return self._file.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone() is not None

    def _spill(self) -> None:
        """Move the keys into the file, in order: neighbours share a page."""
        if self._file is None or self._sieve is None:
            self._sieve = bytearray(SIEVE)
            self._file = sqlite3.connect("")  # a file of SQLite's own that vanishes with the connection
            self._file.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
                "CREATE TABLE seen (key INTEGER PRIMARY KEY)"
            )
        for key in self._recent:
            self._sieve[key & (SIEVE - 1)] = 1
        with self._file:
            self._file.executemany("INSERT INTO seen VALUES (?)", ((key,) for key in sorted(self._recent)))
        self._recent = set()
