"""A run says what it has left out."""

from __future__ import annotations

from tests.left_out import left_out


def test_each_reason_is_told_once_with_how_many_tests_it_cost():
    assert left_out([]) == []
    assert left_out(["Skipped: it is late", "Skipped: it is cold", "Skipped: it is late"]) == [
        "Left out: 2 tests: it is late.",
        "Left out: 1 test: it is cold.",
    ]
