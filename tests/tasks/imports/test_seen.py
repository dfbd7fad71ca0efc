"""Rows that came before are known, wherever their keys have gone."""

from __future__ import annotations

from random import Random

import pytest

from tasks.imports.seen import SIEVE, Seen


@pytest.mark.parametrize(("in_set", "in_arrays"), [(1_000_000, 0), (100, 1_000_000), (100, 500)])
def test_a_key_is_known_whether_it_is_in_the_set_in_the_arrays_or_in_the_file(in_set: int, in_arrays: int):
    chance = Random(1)
    keys = [chance.getrandbits(64) - (1 << 63) for _ in range(3_000)]
    seen = Seen(in_set, in_arrays)

    fresh = [seen.add(keys[start : start + 50]) for start in range(0, 3_000, 50)]

    assert fresh == [[]] * 60
    assert all(key in seen for key in keys)
    assert seen.add([*keys[:3], 7, 7]) == [0, 1, 2, 4]


def test_a_key_that_looks_like_another_is_not_taken_for_it():
    seen = Seen(in_set=10, in_arrays=20)
    seen.add(range(0, SIEVE * 30, SIEVE))

    assert [key for key in range(1, SIEVE * 30, SIEVE) if key in seen] == []
    assert SIEVE * 30 not in seen
    assert SIEVE * 29 in seen


def test_keys_repeated_within_one_call_are_told():
    assert Seen().add([1, 2, 1, 3, 2]) == [2, 4]
