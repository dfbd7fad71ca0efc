"""Garbage is collected at the end of each test file, and at no other time.

A connection that is let go of in a cycle of references is closed by the garbage collector, with a warning, which is an
error here. If Python chose the time, it would come in the middle of any later test, which would fail for it, and in the
next run another one or none. So it always comes in the file that let go of it, and fails that one:
`PYTHONTRACEMALLOC=25 pytest that/file.py` tells where the connection was opened.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

# Nothing of what is made for thousands of tests while they are collected is garbage, either.
gc.disable()


def pytest_collection_finish() -> None:
    """Never look through what is there by now."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def collect_garbage() -> Iterator[None]:
    """Collect what the tests of a file have left, once all else that was made for them has ended.

    What is still in use then, by a session's fixture or a module of ours, is no longer looked through: if a later file
    is the last to use it, that one is not to blame.
    """
    yield
    gc.collect()
    gc.freeze()
