"""What an operator sees of the lines and the workers."""

import pytest

from tests.worker.governing import line, nobody_works, ref
from worker.tiers import QUEUES


def test_the_oldest_task_of_each_lane_is_told_apart(governor, clock):
    each, now = line(), clock.ms / 1000
    nobody_works(governor)
    for lane, age in (("now", 5), ("bulk", 90)):
        governor.wait(ref(each), lane, lane, f'{{"since":{now - age}}}')

    look = governor.look_at(each.name)

    assert look == governor.look()[0]
    assert (look.oldest_now, look.oldest_bulk, look.oldest) == pytest.approx((5, 90, 90))
    assert governor.look_at("a:nothing") is None


def test_a_worker_that_was_not_heard_of_lately_is_not_there(governor, clock):
    governor.beat("another", 8, QUEUES, 5)
    assert governor.workers() == {"worker": 1_000, "another": 8}

    clock.wait(6)

    assert governor.workers() == {"worker": 1_000}
