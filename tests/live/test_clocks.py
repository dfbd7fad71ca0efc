"""One clock decides, that of Redis: a worker whose own is wrong takes nothing from others and sends nothing twice."""

from __future__ import annotations

from tasks.profiles import create_profile
from tests.live.system import Worker, failures, until
from worker.transport import VISIBILITY_S

TASKS = 24

AHEAD = """
import time
_time = time.time
time.time = lambda: _time() + {seconds}
"""


def test_a_worker_whose_clock_is_wrong_takes_no_delivery_of_another(system, tmp_path):
    system.sandbox.limits(off=True)
    system.sandbox.fault("latency", seconds=3, times=None)
    system.worker()
    for seconds in (40, -40):
        assert abs(seconds) > 2 * VISIBILITY_S
        folder = tmp_path / str(seconds)
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(AHEAD.format(seconds=seconds))
        environment = {**system.environment(), "PYTHONPATH": str(folder)}
        system.workers.append(Worker(f"wrong{seconds}@test", environment, folder / "log", system.redis))
    for worker in system.workers:
        worker.ready()

    ids = [create_profile.delay(email=f"p{n}@example.com").id for n in range(TASKS)]
    ends = system.ended(ids, 60)

    assert failures(ends) == {}
    until(lambda: not system.redis.exists("klaviyo:unacked"), 10, "an empty record of what is held")
    assert sum(worker.text().count("] received") for worker in system.workers) == TASKS
    assert len(system.sandbox.ledger("create_profile")) == TASKS
