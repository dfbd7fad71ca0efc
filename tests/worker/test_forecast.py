"""When a waiting list will be empty: what was foretold is what happens, by the real script in virtual time."""

from __future__ import annotations

import pytest

from tests.soak import SOAK
from tests.worker.simulation import Simulation
from worker.governor import BucketLook, Look, Pause
from worker.governor.forecast import forecasts
from worker.tiers import DAY_MS, MINUTE_MS, SECOND_MS, Bucket, Limits, Line

#: By what share of the time a forecast may be off.
OFF = 0.10

#: How many tasks wait in all three tiers and both lanes together; and the tiers, with the share of each lane. Where few
#: wait, the tiers are smaller, so that they wait for some minutes all the same.
BACKLOG = 20_000 if SOAK else 500  # whatever the soak's size: fewer would be gone before the second look
TIERS = (
    (("350/s 3500/m", "xl", 0.3), ("75/s 750/m", "l", 0.125), ("10/s 150/m", "m", 0.075))
    if SOAK
    else (("20/s 120/m", "l", 0.35), ("10/s 60/m", "m", 0.1), ("3/s 30/m", "s", 0.05))
)


def line(limits, name, *extra):
    return Line("a", (Bucket(name, Limits.parse(limits)), *extra))


def simulated(client, backlog, seed=1, before=0, warm=1_000):
    """Publish (line, now, bulk) after so many requests before, look after so many ms, and let it all happen.

    Return of each line what was foretold, and how many seconds its lanes took.
    """
    simulation = Simulation(client, seed, workers=1, slots=64)
    client.set("klaviyo:born", int(simulation.now) - 100_000)
    for each, _, _ in backlog:
        simulation.publish(each, 1 + before)
    simulation.run(30_000)
    tasks = {}
    for each, now, bulk in backlog:
        for lane, count in (("bulk", bulk), ("now", now)):
            known = set(simulation._lines)
            simulation.publish(each, count, lane)
            tasks[each.name, lane] = set(simulation._lines) - known
    simulation.run(warm)
    began, foretold = simulation.now, forecasts(simulation.governor.look())
    while simulation.governor.count():
        simulation.run(60_000)
    simulation.run(60_000)
    ended = {task: (at - began) / 1000 for at, task, wait in simulation.answered if wait is None}
    took = {key: max((ended[task] for task in found), default=0.0) for key, found in tasks.items()}
    assert not any(simulation.klaviyo.refused.values())
    return {
        each.name: (foretold[each.name], took[each.name, "now"], max(took[each.name, lane] for lane in ("now", "bulk")))
        for each, _, _ in backlog
    }


def assert_foretold(found):
    for name, (foretold, now, empty) in found.items():
        if foretold.now is not None:
            assert foretold.now == pytest.approx(now, rel=OFF, abs=2), name
        assert foretold.empty == pytest.approx(empty, rel=OFF, abs=2), name


@pytest.mark.soak
@pytest.mark.parametrize("warm", [1_000, 47_000])
def test_a_backlog_on_three_tiers_and_two_lanes_is_gone_when_it_was_foretold(client, warm):
    backlog = [(line(limits, name), int(share * BACKLOG), int(share * BACKLOG)) for limits, name, share in TIERS]

    found = simulated(client, backlog, warm=warm)

    assert_foretold(found)
    steady = [Limits.parse(limits).steady for limits, _, _ in TIERS]
    assert [round(foretold.per_minute) for foretold, _, _ in found.values()] == steady


def test_requests_that_trickled_in_before_are_given_back_as_they_were_made(client):
    assert_foretold(simulated(client, [(line("5/s 60/m", "s"), 70, 0)], before=44))


def test_lines_that_share_a_bucket_run_unless_aways(client):
    shared = Bucket("include=lists", Limits.parse("5/s 30/m"))
    found = simulated(client, [(line("10/s 150/m", "one", shared), 0, 60), (line("10/s 150/m", "two", shared), 0, 20)])

    assert_foretold(found)
    assert {foretold.per_minute for foretold, _, _ in found.values()} == {15}


# What stands still, and what others use.


def look(now=0, bulk=0, windows=((0, 10, SECOND_MS), (0, 150, MINUTE_MS)), blocked=0.0, together=None, **bucket):
    told = BucketLook("eu:get_tags", windows, 0, bucket.pop("foreign", 0), blocked, **bucket)
    return Look("eu:get_tags", "klaviyo.m", now, bulk, 7, None, 0.0, (told,), together)


def foretold(each, **how):
    return forecasts([each], **how)[each.line]


def test_a_line_in_which_nothing_waits_that_could_go_has_no_forecast():
    assert forecasts([look()]) == {}


def test_nothing_of_a_blocked_bucket_goes_before_its_time():
    assert foretold(look(now=10, blocked=600.0)).empty == 600
    assert foretold(look(now=160, blocked=600.0)).empty == 660


@pytest.mark.parametrize("what", ["account:eu", "action:get_tags", "action:eu:get_tags", "tier:klaviyo.m"])
def test_what_is_paused_has_no_end_and_says_why(what):
    found = foretold(look(now=10), pauses=[Pause(what, "root", "moving house", 0.0, None)])

    assert (found.now, found.empty, found.per_minute) == (None, None, 0.0)
    assert found.why.endswith("is paused by root: moving house")


def test_without_a_worker_for_its_tier_nothing_goes():
    assert foretold(look(now=10), slots={"klaviyo.m": 3}).empty == 0
    assert foretold(look(now=10), slots={"klaviyo.l": 3}).why == "no worker takes tasks of this tier"


def test_the_share_of_other_software_is_taken_as_going_on():
    found = foretold(look(now=300, foreign=50))

    assert found.per_minute == 100
    assert found.empty == pytest.approx(129, abs=1)  # two whole minutes, and 100 requests in 10 s
    assert foretold(look(now=300, foreign=150)).why == "other software uses all of its quota"


def test_a_limit_that_has_become_smaller_waits_for_what_is_used_beyond_it():
    back = (5.0, 15.0, 25.0, 35.0)
    each = look(now=1, windows=((80, 60, MINUTE_MS),), back=(back,))

    assert foretold(each).empty == 15  # of 80, the first 20 come back to nobody


def test_the_lane_bulk_goes_faster_when_the_lane_now_has_not_been_used_for_a_while():
    slow, soon, fast = (foretold(look(bulk=15_000, urgent=urgent)).empty for urgent in (9_999.0, 600.0, 0.0))

    assert fast < soon < slow
    assert slow == pytest.approx(fast / (143 / 150), rel=0.02)


def test_calls_that_travel_together_go_as_fast_as_they_have_gone():
    found = foretold(look(now=3_000, bulk=3_000, together=6_000.0))

    assert (found.now, found.empty, found.per_minute) == (30, 60, 6_000)
    assert foretold(look(now=3_000, together=6.0)) == foretold(look(now=3_000))
    assert foretold(look(now=10, blocked=600.0, together=6_000.0)).empty == 600


def test_a_days_window_sets_the_pace_only_of_what_does_not_fit_into_it():
    windows = ((0, 15, MINUTE_MS), (200, 225, DAY_MS))

    assert foretold(look(now=20, windows=windows)).per_minute == 15
    assert foretold(look(now=30, windows=windows)).per_minute == pytest.approx(225 / 1440)


def test_what_does_not_fit_into_a_day_waits_for_what_the_day_gives_back():
    day = (30, 40, DAY_MS)
    each = look(now=0, bulk=90, windows=((0, 15, MINUTE_MS), day), back=((), (3_600.0, 7_200.0, 50_000.0)))

    # 10 at once, three times ten of today's, the same of tomorrow, and ten of the day after.
    assert foretold(each).empty == pytest.approx(2 * 86_400, abs=120)


def test_a_look_tells_when_a_window_gives_back_what_is_used_only_where_somebody_waits(client, governor, clock):
    each = line("1/s 15/m", "xs")
    governor.wait((each.name, each.spec), "now", "one", "{}")
    assert governor.claim("one", 60_000, False, "holder").state == "ok"
    [look] = governor.look()
    assert look.buckets[0].back == ((), ())

    governor.wait((each.name, each.spec), "now", "two", "{}")
    [look] = governor.look()
    assert look.buckets[0].back == ((), (60.0,))
    assert look.buckets[0].urgent == 600
