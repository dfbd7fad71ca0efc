"""A run says what it has left out, and what it comes to."""

from __future__ import annotations

from tests.summary import in_short, left_out


def test_each_reason_is_told_once_with_the_files_in_which_tests_were_left_out():
    assert left_out([]) == []
    assert left_out(
        [("b.py", "Skipped: it is late"), ("c.py", "Skipped: it is cold"), *[("a.py", "it is late")] * 3]
    ) == [
        "Left out in a.py, b.py: it is late.",
        "Left out in c.py: it is cold.",
    ]


def test_a_run_is_summed_up_in_a_sentence():
    assert in_short(5_347, 0, 0, 272.4) == "Everything works here: all 5,347 tests passed in 4 min 32 s."
    assert in_short(12, 0, 4, 9.6) == (
        "Everything works here: all 12 tests passed in 10 s; 4 were left out, for the reasons above."
    )
    assert in_short(5_345, 2, 4, 60.0).startswith("2 of 5,347 tests failed, in 1 min 0 s. To run one of them alone: ")
