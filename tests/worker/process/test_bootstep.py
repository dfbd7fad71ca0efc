"""What a worker's loop does beside consuming holds it up in nothing, whatever becomes of Redis."""

import pytest
import redis

from worker.process.bootstep import GovernorStep
from worker.process.state import working
from worker.redis.patience import patiently


class Consumer:
    pass


@pytest.fixture
def step(monkeypatch):
    monkeypatch.setattr("worker.process.bootstep.task_revoked.connect", lambda receiver: None)
    working.set()
    yield GovernorStep(Consumer())
    working.clear()


def test_the_loop_goes_on_where_redis_is_away_so_that_it_notices_and_connects_anew(step):
    tried = []

    def look():
        tried.append(1)
        raise redis.ConnectionError

    step._run_unless_away(lambda: patiently(look))

    assert tried == [1]
