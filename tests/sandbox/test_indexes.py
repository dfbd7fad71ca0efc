"""Sorted rows that are brought up to date: always what sorting anew would give."""

from random import Random
from typing import Any

import pytest

from sandbox.records.indexes import MAX_MOVED_SINGLY, Indexes, Row


class Numbers:
    """Ids with values that change, and the rows of them."""

    def __init__(self, count: int) -> None:
        self.values: dict[str, Any] = {f"n{number}": number * 7 % count for number in range(count)}
        self.indexes = Indexes()

    def row_of(self, id: str) -> Row | None:
        if id not in self.values:
            return None
        value = self.values[id]
        return (0, "", int(id[1:]), id) if value is None else (1, value, int(id[1:]), id)

    def rows(self) -> list[Row]:
        return self.indexes.rows("number", "value", self.row_of, self.values)

    def put(self, id: str, value: Any) -> None:
        self.values[id] = value
        self.indexes.note("number", id)

    def drop(self, id: str) -> None:
        self.values.pop(id, None)
        self.indexes.note("number", id)

    def anew(self) -> list[Row]:
        return sorted(row for id in self.values if (row := self.row_of(id)))


@pytest.mark.parametrize("changes", [1, MAX_MOVED_SINGLY, MAX_MOVED_SINGLY * 3])
def test_rows_are_those_of_sorting_again_however_much_has_changed(changes: int) -> None:
    numbers, random = Numbers(1000), Random(1)
    numbers.rows()
    for _ in range(changes):
        id = f"n{random.randrange(1500)}"
        match random.randrange(4):
            case 0:
                numbers.drop(id)
            case 1:
                numbers.put(id, None)
            case _:
                numbers.put(id, random.randrange(50))

    assert numbers.rows() == numbers.anew()


def test_a_row_that_came_and_went_between_two_readings_was_never_there() -> None:
    numbers = Numbers(3)
    before = list(numbers.rows())
    numbers.put("n9", 1)
    numbers.drop("n9")

    assert numbers.rows() == before
