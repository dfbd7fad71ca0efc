"""Which rows came before, in bounded memory however many there are."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from heapq import merge

#: Keys in the set, where they are quick to add and take 60 bytes each.
IN_SET = 150_000
#: Keys in sorted arrays, of 8 bytes each. What is more goes to a file.
IN_ARRAYS = 2_000_000
#: A byte for each remainder of a key that has left the set: whoever's byte is not set is not there.
SIEVE = 1 << 24


class Seen:
    """The keys, 64-bit hashes, of all rows so far: the latest in a set, then in sorted arrays, then in a file."""

    def __init__(self, in_set: int = IN_SET, in_arrays: int = IN_ARRAYS) -> None:
        self._in_set = in_set
        self._in_arrays = in_arrays
        self._set: set[int] = set()
        self._sieve = bytearray()
        self._arrays: list[array[int]] = []
        self._file: sqlite3.Connection | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._set or self._left(key)

    def add(self, keys: Sequence[int]) -> list[int]:
        """Add the keys of further rows; the places of those that came before, in an earlier call or in this one."""
        if (
            len(set(keys)) == len(keys)
            and self._set.isdisjoint(keys)
            and not any(map(self._left, self._suspects(keys)))
        ):
            self._set.update(keys)
            repeated = []
        else:
            repeated = [place for place, key in enumerate(keys) if self._known(key)]
        if len(self._set) >= self._in_set:
            self._make_room()
        return repeated

    def _known(self, key: int) -> bool:
        if key in self:
            return True
        self._set.add(key)
        return False

    def _suspects(self, keys: Sequence[int]) -> list[int]:
        sieve, last = self._sieve, SIEVE - 1
        return [key for key in keys if sieve[key & last]] if sieve else []

    def _left(self, key: int) -> bool:
        """Whether the key is among those that have left the set."""
        if not self._sieve or not self._sieve[key & (SIEVE - 1)]:
            return False
        for each in self._arrays:
            place = bisect_left(each, key)
            if place < len(each) and each[place] == key:
                return True
        found = self._file and self._file.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone()
        return found is not None

    def _make_room(self) -> None:
        self._sieve = self._sieve or bytearray(SIEVE)
        for key in self._set:
            self._sieve[key & (SIEVE - 1)] = 1
        self._arrays.append(array("q", sorted(self._set)))
        self._set = set()
        if sum(map(len, self._arrays)) >= self._in_arrays:
            self._write()

    def _write(self) -> None:
        """Move the arrays into a file, in the order of the keys: neighbours share a page."""
        if self._file is None:
            self._file = sqlite3.connect("")  # SQLite's own temporary file, which vanishes with the connection
            self._file.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
                "CREATE TABLE seen (key INTEGER PRIMARY KEY)"
            )
        with self._file:
            self._file.executemany("INSERT INTO seen VALUES (?)", ((key,) for key in merge(*self._arrays)))
        self._arrays = []
