"""A governor for the tests of the engine."""

import pytest

from worker.governor import Governor
from worker.tiers import QUEUES


@pytest.fixture
def governor(client, clock):
    """The governor of a real server by the test's clock, past its probation, with one worker."""
    made = Governor(client, clock=clock)
    client.set("klaviyo:born", clock.ms - 100_000)
    made.beat("worker", 1_000, list(QUEUES), 10**6)
    return made
