"""A governor, as the tests of the engine have it."""

from tests.worker.conftest import governor as governor
