"""What each part tells, without Flower, Redis or a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cli.limits import rows
from cli.metrics import failures, imports, jobs, limits, schedules, syncs
from cli.retirement import retired_on
from cli.schedules import Row
from schedules.stream_status import LatestRun
from tasks.jobs.ledger import Unsettled
from tests.cli.screens import AT, FAILURES, JOB, LONG_RUN, LOOKS, NOW, OTHER, PAUSES, RUN, SLOTS, look, pull
from worker.governor import Pause


def told(families):
    """Every sample: its name without our prefix, its labels' values in their order, and its value."""
    return {
        (sample.name.removeprefix("klaviyo_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


# Limits.


def test_a_bucket_tells_what_is_used_and_free_of_each_window():
    found = told(limits.of_buckets(LOOKS, AT, 10))

    assert found["bucket_used_requests", OTHER, "create_event", "second"] == 312
    assert found["bucket_limit_requests", OTHER, "create_event", "minute"] == 3_500
    assert found["bucket_free_requests", OTHER, "create_event", "minute"] == 3_500 - 3_211
    assert found["bucket_free_requests", OTHER, "create_list", "day"] == 0
    assert found["bucket_blocked_until_timestamp_seconds", OTHER, "create_list"] == AT + 64_800
    assert ("bucket_blocked_until_timestamp_seconds", OTHER, "create_event") not in found


def test_what_others_use_of_a_minute_is_not_free():
    [busy] = [look("eu", [("create_event", ((10, 350, 1_000), (100, 3_500, 60_000)), 0)], "xl", now=1)]
    busy = replace(busy, buckets=(replace(busy.buckets[0], foreign=3_000),))

    found = told(limits.of_buckets([busy], AT, 10))

    assert found["bucket_others_requests", "eu", "create_event"] == 3_000
    assert found["bucket_free_requests", "eu", "create_event", "minute"] == 400
    assert found["bucket_free_requests", "eu", "create_event", "second"] == 340


def test_each_lane_tells_how_many_wait_and_since_when():
    [each] = [replace(LOOKS[0], oldest_now=13.2, oldest_bulk=90.0)]

    found = told(limits.of_buckets([each], AT, 10))

    waiting = [found["waiting_tasks", OTHER, "create_event", lane] for lane in ("now", "bulk", "later")]
    assert waiting == [1_204, 48_211, 0]
    assert found["oldest_waiting_seconds", OTHER, "create_event", "now"] == 13.2
    assert found["oldest_waiting_seconds", OTHER, "create_event", "bulk"] == 90.0


def test_each_lane_tells_when_it_will_be_empty_as_the_page_and_the_commands_do():
    [each] = rows(LOOKS[:1], (), SLOTS)

    found = told(limits.of_buckets(LOOKS, AT, 10, 0, (), SLOTS))

    assert found["empty_at_timestamp_seconds", OTHER, "create_event", "now"] == AT + each.now_empty_seconds
    assert found["empty_at_timestamp_seconds", OTHER, "create_event", "bulk"] == AT + each.empty_seconds
    assert not any(labels[0].startswith("empty_at") and "predictive_analytics" in labels[2] for labels in found)


def test_nobody_can_tell_when_what_is_paused_or_served_by_no_worker_will_be_empty():
    paused = told(limits.of_buckets(LOOKS[:1], AT, 10, 0, [replace(PAUSES[0], what=f"account:{OTHER}")], SLOTS))
    unserved = told(limits.of_buckets(LOOKS[:1], AT, 10, 0, (), {"klaviyo.l": 24}))

    assert not [labels for labels in (*paused, *unserved) if labels[0].startswith("empty_at")]


def test_a_line_that_is_left_out_counts_in_the_forecast_of_one_that_shares_its_bucket():
    minute = ((60, 60, 60_000),)
    alone = look("eu", [("get_profiles", minute, 0)], "l", bulk=600)
    both = look("eu", [("get_profiles", minute, 0), ("include=lists", minute, 0)], "l", bulk=600)

    first, few = (told(limits.of_buckets([alone, both], AT, most)) for most in (10, 1))

    name = ("empty_at_timestamp_seconds", "eu", "get_profiles", "bulk")
    assert few[name] == first[name] > AT + 1_000


def test_a_tier_tells_how_many_tasks_its_workers_take_at_once():
    found = told(limits.of_tiers([], {"klaviyo.xl": 24}))

    assert (found["tier_worker_slots", "XL"], found["tier_worker_slots", "L"]) == (24, 0)


def test_a_thousand_accounts_tell_of_the_most_urgent_buckets_and_count_the_rest():
    idle = ((0, 75, 1_000), (0, 750, 60_000))
    crowd = [look(f"shop-{n}", [(f"action-{m}", idle, 0)], "l", bulk=n) for n in range(1_000) for m in range(20)]
    blocked = look("shop-2000", [("create_list", idle, 0)], "l", blocked=60.0)

    found = told(limits.of_buckets([*crowd, blocked], AT, 200))

    assert len({labels[1:3] for labels in found if labels[0] == "waiting_tasks"}) == 200
    assert len(found) < 200 * 12 + 10
    assert found["bucket_blocked_until_timestamp_seconds", "shop-2000", "create_list"] == AT + 60
    assert found["waiting_tasks", "shop-999", "action-0", "bulk"] == 999
    counted = [found["buckets", state] for state in ("blocked", "used", "idle", "left_out")]
    assert counted == [1, 999 * 20 + 1, 20, 999 * 20 + 1 - 200]
    tiers = told(limits.of_tiers([*crowd, blocked], SLOTS))
    assert tiers["tier_waiting_tasks", "L", "bulk"] == 20 * sum(range(1_000))
    assert tiers["tier_waiting_tasks", "XS", "bulk"] == 0


def test_a_request_that_draws_on_two_buckets_is_under_way_once():
    minute = ((40, 700, 60_000),)
    alone = look("eu", [("get_profiles", minute, 10)], "l")
    both = look("eu", [("get_profiles", minute, 10), ("include=lists", minute, 4)], "l")

    found = told(limits.of_tiers([alone, both, LOOKS[0]], SLOTS))

    assert (found["tier_in_flight_requests", "L"], found["tier_in_flight_requests", "XL"]) == (10, 40)


def test_what_is_paused_shows_nobodys_name():
    pauses = [*PAUSES, Pause("action:send_campaign", "ada@example.com", "ask ada@example.com", AT, None, "")]

    found = dict(limits._pauses([replace(pauses[0], key="fingerprint"), pauses[1]]))

    assert found == {
        ("account:a-shop-with-a-long-name", "refused_key"): AT,
        ("action:send_campaign", "operator"): AT,
    }


# Failures.


def test_the_largest_groups_of_failures_tell_their_reason_and_the_rest_is_counted():
    found = told(failures.families(FAILURES, 2))

    group = FAILURES[0].group
    assert found["group_failures", group.id, "create_event", "Unavailable", "Klaviyo answered 503"] == 812
    first = "group_first_failure_timestamp_seconds"
    assert found[first, group.id, "create_event", "Unavailable", "Klaviyo answered 503"] == AT - 5_000
    assert found["kept_failures",] == 812 + 140 + 2
    assert len([labels for labels in found if labels[0] == "group_failures"]) == 2


# Jobs, imports, syncs, schedules.


def test_jobs_tell_how_many_are_in_which_state_and_how_old_the_oldest_is():
    going = [Unsettled("k", "waiting", 7, AT - 60), Unsettled("k", "processing", 1, AT - 5),
             Unsettled("k", "processing", 1, AT - 9)]  # fmt: skip
    ended = [
        replace(JOB, state="settled", status=status, rejected=0, counters={}) for status in ("complete", "cancelled")
    ]

    found = told(jobs.families(going, [*ended, replace(JOB, state="processing")], AT))

    assert (found["jobs", "k", "waiting"], found["jobs", "k", "processing"]) == (7, 2)
    assert (found["oldest_job_seconds", "k", "waiting"], found["oldest_job_seconds", "k", "processing"]) == (60, 9)
    assert (found["settled_jobs", JOB.kind, "well"], found["settled_jobs", JOB.kind, "badly"]) == (1, 1)


def test_imports_tell_what_became_of_their_rows_and_how_long_the_quietest_is_silent():
    found = told(imports.families([RUN, LONG_RUN], AT))

    assert found["imports", RUN.kind, RUN.state] == 1
    assert found["import_rows", RUN.kind, "landed"] == RUN.landed
    assert found["import_rows", LONG_RUN.kind, "on_their_way"] == LONG_RUN.on_their_way
    assert found["import_silent_seconds", LONG_RUN.kind] == 900
    assert ("import_silent_seconds", RUN.kind) not in found


def test_syncs_tell_the_streams_that_are_furthest_behind():
    runs = [LatestRun("eu", f"stream-{n}", NOW - timedelta(hours=n), pull()) for n in range(5)]
    runs.append(LatestRun("eu", "report", None, pull(state="failed")))

    found = told(syncs.families(runs, {("eu", "stream-4"): NOW - timedelta(days=1)}, NOW, 2))

    lags = {labels[2]: value for labels, value in found.items() if labels[0] == "sync_lag_seconds"}
    assert lags == {"stream-4": 4 * 3_600, "stream-3": 3 * 3_600}
    assert found["sync_last_success_timestamp_seconds", "eu", "stream-4"] == (NOW - timedelta(days=1)).timestamp()
    assert (found["syncs", "done"], found["syncs", "failed"]) == (5, 1)


def entry(name, **how):
    known = dict(entry=name, account="eu", crontab="0 3 * * *", timezone="UTC", last_run=None, last_success=None,
                 seconds=None,
                 next_run=None, missed=None, late_seconds=None, state="ok", remarks="", reason="")  # fmt: skip
    return Row(**{**known, **how})


def test_entries_that_are_late_or_failed_come_first_and_those_that_are_off_not_at_all():
    rows = [
        entry("fine", last_success=NOW),
        entry("failed", state="failed"),
        entry("late", late_seconds=600.0),
        entry("off", crontab=None, state="off"),
    ]

    found = told(schedules.families(rows, 2))

    assert found["schedule_late_seconds", "eu", "late"] == 600
    assert found["schedule_failed", "eu", "failed"] == 1
    assert ("schedule_failed", "eu", "fine") not in found
    assert not any("off" in labels for labels in found)


def test_beat_turned_last_when_it_renewed_its_lock():
    assert schedules.last_tick(datetime.fromtimestamp(100, UTC), 12_000, 13) == 99
    assert schedules.last_tick(datetime.fromtimestamp(100, UTC), -2, 13) is None


@pytest.mark.parametrize(("revision", "day"), [("2026-07-15", date(2028, 7, 15)), ("2024-10-15", date(2026, 10, 15))])
def test_a_revision_is_answered_to_for_two_years(revision, day):
    assert retired_on(revision) == day
