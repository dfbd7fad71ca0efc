"""A run says what it has left out."""

from __future__ import annotations

from tests.left_out import left_out


def test_each_reason_is_told_once_with_the_files_in_which_tests_were_left_out():
    assert left_out([]) == []
    assert left_out(
        [("b.py", "Skipped: it is late"), ("c.py", "Skipped: it is cold"), *[("a.py", "it is late")] * 3]
    ) == [
        "Left out in a.py, b.py: it is late.",
        "Left out in c.py: it is cold.",
    ]
