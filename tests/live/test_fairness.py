"""An account whose requests hang beside others, through a real worker."""

from __future__ import annotations

from tasks.events import get_events
from tests.live.system import failures


def test_an_account_whose_requests_hang_holds_its_share_of_the_threads_and_the_others_go_on(system):
    system.sandbox.fault("hang", account="a", seconds=60, times=None)
    hanging = [get_events.on("a").delay() for _ in range(30)]
    others = [get_events.on(alias).delay().id for _ in range(20) for alias in ("b", "c")]

    worker = system.worker(READ_TIMEOUT=60).ready()
    ends = system.ended(others, 20)

    assert failures(ends) == {}
    assert not any(result.ready() for result in hanging)
    worker.kill()  # it would wait for those that hang
