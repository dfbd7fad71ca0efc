"""Rows that came before are known, wherever their keys have gone."""

from __future__ import annotations

from random import Random

import pytest

from tasks.imports.seen_keys import SeenKeys


@pytest.mark.parametrize(("max_in_set", "max_in_table"), [(1_000_000, 0), (100, 1_000_000), (100, 500)])
def test_a_key_is_known_whether_it_is_in_the_set_in_the_table_or_in_the_file(max_in_set: int, max_in_table: int):
    chance = Random(1)
    keys = [chance.getrandbits(64) - (1 << 63) for _ in range(3_000)]
    seen = SeenKeys(max_in_set, max_in_table)

    fresh = [seen.add(keys[start : start + 50]) for start in range(0, 3_000, 50)]

    assert fresh == [[]] * 60
    assert all(key in seen for key in keys)
    # Those that came first are in the set, then come those in the file, and those in the table are the last.
    assert seen.add([*keys[::500], keys[-1], 7, 7]) == [0, 1, 2, 3, 4, 5, 6, 8]


@pytest.mark.parametrize("max_in_table", [1_000_000, 20])
def test_a_key_that_begins_like_another_is_not_taken_for_it(max_in_table: int):
    seen = SeenKeys(max_in_set=0, max_in_table=max_in_table)
    last = (1 << 63) - 1
    alike = [*range(0, 30, 2), *range(-30, -3, 2), *range(last - 30, last, 2)]

    repeated = [key for key in alike if seen.add([key])]

    assert repeated == []
    assert [key for key in alike if key + 1 in seen] == []
    assert [key for key in alike if key not in seen] == []
    assert seen.add([alike[-1], last]) == [0]


def test_keys_repeated_within_one_call_are_told():
    assert SeenKeys().add([1, 2, 1, 3, 2]) == [2, 4]
