"""Sandboxes for the tests of the sandbox."""

from collections.abc import Iterator

import pytest

from tests.sandbox.in_process import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def free(sandbox: Sandbox) -> Sandbox:
    """A sandbox without limits."""
    return sandbox.unlimited()
