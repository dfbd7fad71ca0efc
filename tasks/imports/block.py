"""A few hundred rows as columns: what the checks between rows and items work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

from tasks.imports.fields import Field
from tasks.imports.options import Options
from tasks.imports.seen_keys import SeenKeys

#: The texts of one field, a row each; an empty text where a row has none.
Values = Sequence[str]


@dataclass(slots=True)
class Block:
    """Rows being checked: their numbers, their columns by field, and which were rejected and why.

    ``fields`` are all fields of the import, whether or not they have a column here. A rejected row keeps its place in
    the columns until `settle`. ``verbatim``: JSON writes all texts as they are.
    """

    numbers: Sequence[int]
    columns: dict[str, Values]
    fields: Mapping[str, Field]
    options: Options
    seen: SeenKeys
    rejected: dict[int, str] = field(default_factory=dict)
    verbatim: bool = False

    def column(self, name: str) -> Values:
        """Return the texts of a field; empty ones if it has no column."""
        return self.columns.get(name) or [""] * len(self.numbers)

    def rows(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the texts of some fields, row by row."""
        return list(zip(*map(self.column, names), strict=True)) if names else [()] * len(self.numbers)

    def reject(self, place: int, reason: str) -> None:
        """Reject a row. The first reason counts."""
        self.rejected.setdefault(self.numbers[place], reason)

    def reject_where(self, name: str, problem: Callable[[str], str | None]) -> None:
        """Reject the rows in which the text of a field has a problem."""
        for place, value in enumerate(self.column(name)):
            if value and (reason := problem(value)):
                self.reject(place, f"{name}: {reason}")

    def settle(self) -> None:
        """Remove the rejected rows."""
        if self.rejected.keys().isdisjoint(self.numbers):
            return
        stays = [number not in self.rejected for number in self.numbers]
        self.numbers = list(compress(self.numbers, stays))
        self.columns = {name: list(compress(values, stays)) for name, values in self.columns.items()}


#: Checks a block: rejects rows, and adds or removes columns.
Rule = Callable[[Block], None]
