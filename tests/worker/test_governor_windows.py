"""No more than N requests reach Klaviyo in any of its windows, and with a backlog next to none goes unused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak import SOAK, sized
from tests.worker.simulation import Simulation
from worker.tiers import Bucket, Limits, Line

LIMITS = ["1/s 15/m", "3/s 60/m", "10/s 150/m", "75/s 750/m", "3/s 150/m", "1/s 2/m 225/d", "3/s 15/m"]
#: Klaviyo's tiers. The largest two are like the next smaller one, and take many times as long as all others together.
TIERS = ["1/s 15/m", "3/s 60/m", "10/s 150/m", *(["75/s 750/m", "350/s 3500/m"] if SOAK else [])]
EXTRA = Bucket("include=lists", Limits.parse("1/s 15/m"))


def line(name, limits, *extra, account="a"):
    return Line(account, (Bucket(name, Limits.parse(limits)), *extra))


@pytest.mark.soak
@settings(max_examples=sized(4, 200))
@given(
    seed=st.integers(0, 2**32),
    limits=st.lists(st.sampled_from(LIMITS), min_size=1, max_size=3),
    shared=st.booleans(),
    workers=st.integers(1, 4),
    slots=st.integers(1, 12),
    slowest=st.sampled_from([1, 30, 250, 2_000]),
    stall=st.sampled_from([0.0, 0.05]),
    death=st.sampled_from([0.0, 0.02]),
    headers=st.booleans(),
)
def test_no_window_of_klaviyos_ever_takes_more_than_it_allows(
    client, seed, limits, shared, workers, slots, slowest, stall, death, headers
):
    client.flushall()
    run = Simulation(client, seed, workers, slots, (0.1, slowest), stall, death, headers)
    lines = [line(f"operation-{n}", text) for n, text in enumerate(limits)]
    if shared:
        lines += [line(f"operation-{n}", text, EXTRA) for n, text in enumerate(limits)]
    for each in lines:
        run.publish(each, 90)

    run.run(70_000)

    assert run.sent
    assert not run.klaviyo.refused


@pytest.mark.soak
@pytest.mark.parametrize("limits", TIERS)
def test_a_backlog_uses_next_to_all_that_klaviyo_allows(client, limits):
    run = Simulation(client, seed=7, workers=1, slots=40)
    each = line("operation", limits)
    steady = each.buckets[0].limits.steady
    run.publish(each, int(steady * 3.2))

    run.run(195_000)

    used = run.klaviyo.full_windows(each, 1_000_000, run.now)
    assert len(used) >= 2
    assert sum(used) / len(used) >= (0.99 if steady >= 60 else 0.97)
    assert not run.klaviyo.refused
