"""Sorted rows of what a store holds, brought up to date where something has changed instead of being sorted anew."""

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable
from operator import itemgetter
from typing import Any

Row = tuple[int, Any, int, str]
"""Whether there is a sort value (1 or 0), the sort value, the number that breaks ties, the id."""

FEW = 200
"""As many stale rows at most are moved one by one; more are sorted in together."""

KEPT = 256
"""Indexes that a store keeps at most."""


class Index:
    """The rows of one population, sorted by one field."""

    def __init__(self, row_of: Callable[[str], Row | None], ids: Iterable[str]) -> None:
        self.stale = dict.fromkeys(ids)
        """Ids whose rows have come, changed or gone since they were last read."""
        self._row_of = row_of
        self._rows: list[Row] = []
        self._known: dict[str, Row] = {}

    def rows(self) -> list[Row]:
        """The rows as of now."""
        if len(self.stale) > FEW:
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
        # By one column after the other, which is much quicker than comparing whole rows.
        rows.sort(key=itemgetter(2))
        valued = [row for row in rows if row[0]]
        valued.sort(key=itemgetter(1))
        self._rows = [row for row in rows if not row[0]] + valued


class Indexes:
    """The indexes of a store, by what they are about and the field that they are sorted by."""

    def __init__(self) -> None:
        self._by_scope: dict[Hashable, dict[str | None, Index]] = {}
        self._count = 0

    def rows(
        self, scope: Hashable, field: str | None, row_of: Callable[[str], Row | None], ids: Iterable[str]
    ) -> list[Row]:
        """The sorted rows of a scope, of the ids given when they are asked for the first time."""
        index = self._by_scope.get(scope, {}).get(field)
        if index is None:
            if self._count >= KEPT:
                self._by_scope.clear()
                self._count = 0
            index = self._by_scope.setdefault(scope, {})[field] = Index(row_of, ids)
            self._count += 1
        return index.rows()

    def note(self, scope: Hashable, id: str) -> None:
        """Note that a row of a scope has come, changed or gone."""
        indexes = self._by_scope.get(scope)
        if indexes:
            for index in indexes.values():
                index.stale[id] = None
