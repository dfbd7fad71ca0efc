"""Sorted rows of a store's records, updated where something changed instead of being sorted again."""

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable
from operator import itemgetter
from typing import Any

Row = tuple[int, Any, int, str]
"""Whether there is a sort value (1 or 0), the sort value, a number that breaks ties, the id."""

MAX_MOVED_SINGLY = 200
"""Up to this many stale rows are moved one by one; more are sorted in together."""

MAX_INDEXES = 256
"""How many indexes a store keeps."""


class Index:
    """The rows of one population, sorted by one field."""

    def __init__(self, row_of: Callable[[str], Row | None], ids: Iterable[str]) -> None:
        self.stale = dict.fromkeys(ids)
        """Ids whose rows were added, changed or removed since the last read."""
        self._row_of = row_of
        self._rows: list[Row] = []
        self._known: dict[str, Row] = {}

    def rows(self) -> list[Row]:
        """The current rows."""
        if len(self.stale) > MAX_MOVED_SINGLY:
            self._sort_in()
        else:
            self._move()
        self.stale.clear()
        return self._rows

    def _move(self) -> None:
        for id in self.stale:
            old, new = self._known.pop(id, None), self._row_of(id)
            if old is not None and old != new:
                del self._rows[bisect_left(self._rows, old)]
            if new is not None:
                self._known[id] = new
                if old != new:
                    insort(self._rows, new)

    def _sort_in(self) -> None:
        rows = [row for row in self._rows if row[3] not in self.stale]
        for id in self.stale:
            row = self._row_of(id)
            if row is None:
                self._known.pop(id, None)
            else:
                self._known[id] = row
                rows.append(row)
        # By one column after the other, which is much faster than comparing whole rows.
        rows.sort(key=itemgetter(2))
        valued = [row for row in rows if row[0]]
        valued.sort(key=itemgetter(1))
        self._rows = [row for row in rows if not row[0]] + valued


class Indexes:
    """The indexes of a store, by what they cover and the field that they are sorted by."""

    def __init__(self) -> None:
        self._by_scope: dict[Hashable, dict[str | None, Index]] = {}
        self._count = 0

    def rows(
        self, scope: Hashable, field: str | None, row_of: Callable[[str], Row | None], ids: Iterable[str]
    ) -> list[Row]:
        """The sorted rows of a scope; the first time, of the given ids."""
        index = self._by_scope.get(scope, {}).get(field)
        if index is None:
            if self._count >= MAX_INDEXES:
                self._by_scope.clear()
                self._count = 0
            index = self._by_scope.setdefault(scope, {})[field] = Index(row_of, ids)
            self._count += 1
        return index.rows()

    def note(self, scope: Hashable, id: str) -> None:
        """Note that a row of a scope was added, changed or removed."""
        indexes = self._by_scope.get(scope)
        if indexes:
            for index in indexes.values():
                index.stale[id] = None
