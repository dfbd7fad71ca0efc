"""Deliberate breaks of this code, and for each of them the quick test that notices.

``make mutants`` makes one break at a time, in a copy of the tree, and runs its test, which has to fail. A break is an
entry of one of the TOML files here::

    [a-429-counts-as-used]
    file = "worker/execution.py"
    old = "…"       # stands there exactly once
    new = "…"
    broken = "A 429 takes a place in the windows, as if Klaviyo had counted it."
    suffers = "Every account: it sends less than it may."
    test = "tests/worker/test_attempt.py::test_a_429_is_counted_in_no_window_and_blocks_for_as_long_as_it_says"
"""
