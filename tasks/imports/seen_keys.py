"""The keys of all rows so far, in bounded memory however many there are."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence

#: Keys in the set, which is quick and takes 80 bytes a key. A few more would double its slots.
MAX_KEYS_IN_SET = 300_000
#: Keys in the table. A full table is moved to a file.
MAX_KEYS_IN_TABLE = 1_000_000
#: Slots of the table, of 8 bytes each. Half of them stay free, to keep collisions rare.
TABLE_SLOTS = 1 << 21
#: Marks a free slot: no text has this hash.
FREE = -1
#: A byte for each prefix of the keys in the file: a key whose byte is not set is not in the file.
SIEVE_BYTES = 1 << 24

# The first bits of a key give the slot where the search begins (for a negative key, counted from the end). So the keys
# are nearly in order, and those that go to the file together are neighbours there, too.
_TO_SLOT = 65 - TABLE_SLOTS.bit_length()
_TO_SIEVE = 65 - SIEVE_BYTES.bit_length()


class SeenKeys:
    """64-bit keys of all rows so far: the first in a set, the latest in a table, the others in a file."""

    def __init__(self, max_in_set: int = MAX_KEYS_IN_SET, max_in_table: int = MAX_KEYS_IN_TABLE) -> None:
        self._max_in_set = max_in_set
        self._max_in_table = max_in_table
        self._set: set[int] = set()
        self._table = array("q")
        self._count = 0
        self._sieve = bytearray()
        self._file: sqlite3.Connection | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._set or self._is_in_table(key) or self._is_in_file(key)

    def add(self, keys: Sequence[int]) -> list[int]:
        """Add the keys of further rows, and return the places of those that were there, or are repeated here."""
        if len(self._set) >= self._max_in_set:
            return self._add_to_table(keys)
        if len(new := set(keys)) == len(keys) and self._set.isdisjoint(new):
            self._set |= new
            return []
        return [place for place, key in enumerate(keys) if self._add_to_set(key)]

    def _add_to_set(self, key: int) -> bool:
        """Return True if the key was there before."""
        if key in self._set:
            return True
        self._set.add(key)
        return False

    def _add_to_table(self, keys: Sequence[int]) -> list[int]:
        if self._count >= self._max_in_table:
            self._write()
        if not self._table:
            self._table = array("q", [FREE]) * TABLE_SLOTS
        first = self._set.intersection(keys)
        table, sieve = self._table, self._sieve
        repeated = []
        for place, key in enumerate(keys):
            slot = key >> _TO_SLOT
            while (there := table[slot]) != FREE and there != key:
                slot += 1
            if there == key or key in first or (sieve and self._is_in_file(key)):
                repeated.append(place)
            else:
                table[slot] = key
        self._count += len(keys) - len(repeated)
        return repeated

    def _is_in_table(self, key: int) -> bool:
        slot = key >> _TO_SLOT
        while self._table and self._table[slot] != FREE:
            if self._table[slot] == key:
                return True
            slot += 1
        return False

    def _is_in_file(self, key: int) -> bool:
        if self._file is None or not self._sieve[key >> _TO_SIEVE]:
            return False
        return self._file.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone() is not None

    def _write(self) -> None:
        """Move the table's keys to the file."""
        if self._file is None:
            self._file = sqlite3.connect("")  # SQLite's own temporary file, which vanishes with the connection
            self._file.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
                "CREATE TABLE seen (key INTEGER PRIMARY KEY)"
            )
            self._sieve = bytearray(SIEVE_BYTES)
        with self._file:
            self._file.executemany("INSERT INTO seen VALUES (?)", ((key,) for key in self._table if key != FREE))
        for key in self._table:
            if key != FREE:
                self._sieve[key >> _TO_SIEVE] = 1
        self._table = array("q")
        self._count = 0
