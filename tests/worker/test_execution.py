"""How the worker waits between attempts."""

from worker.execution import backoff
from worker.settings import Settings


def test_the_backoff_doubles_up_to_its_longest_with_full_jitter():
    settings = Settings(backoff_seconds=1, backoff_max_seconds=60)

    def longest(low, high):
        return high

    assert [backoff(attempts, settings, longest) for attempts in (0, 1, 2, 5, 6, 100)] == [1, 2, 4, 32, 60, 60]
    assert backoff(3, settings, lambda low, high: low) == 0
