"""Streams copied into the store by a real worker: equal to what the sandbox has, whatever it does to its readers.

Each trap has broken somebody's sync; its test has its name.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tests.live.copies import assert_equal, seed, sync
from tests.live.system import stretched


def trap(system, **how):
    system.sandbox.trap(account="default", **how)


def test_events_dated_into_the_future_do_not_freeze_the_sync(syncing, copied):
    seed(syncing, profiles=50, events=400)
    trap(syncing, events_in_future=30, refuse_future_end=True)
    sync(syncing, "events")
    assert len(copied.rows("events")) == 400
    assert copied.watermark("events") <= datetime.now(UTC)
    seed(syncing, events=100, days=1, seed=5)

    sync(syncing, "events")
    assert len(copied.rows("events")) == 500
    sync(syncing, "events", mode="full")

    assert_equal(syncing, copied, "events")


def test_rows_of_one_time_are_not_lost_at_the_border_of_a_page(syncing, copied):
    seed(syncing, profiles=200, events=1_500)
    trap(syncing, equal_timestamps=2_300)

    sync(syncing, "profiles", "events")

    assert_equal(syncing, copied, "profiles", "events")


def test_rows_at_the_bound_of_greater_than_are_written_once(syncing, copied):
    seed(syncing, profiles=400)
    trap(syncing, bound_included=True)
    sync(syncing, "profiles")
    syncing.sandbox.change(account="default", type="profile", share=0.1)

    sync(syncing, "profiles")

    assert_equal(syncing, copied, "profiles")


def test_archived_campaigns_that_come_out_of_order_are_all_read(syncing, copied):
    seed(syncing, campaigns=120)
    trap(syncing, unsorted_archived_campaigns=True)

    sync(syncing, "campaigns", mode="full")

    assert_equal(syncing, copied, "campaigns")
    assert {(row["channel"], row["archived"]) for row in copied.rows("campaigns").values()} == {
        (channel, archived) for channel in ("email", "sms", "mobile_push") for archived in (False, True)
    }


def test_a_page_that_klaviyo_does_not_give_at_once_costs_no_row(syncing, copied):
    seed(syncing, profiles=400)
    for fault in ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "malformed"}, {"kind": "challenge"}):
        syncing.sandbox.fault(**fault, operation="get_profiles", times=1)
    syncing.sandbox.fault("throttle", operation="get_profiles", retry_after=1, times=1)

    sync(syncing, "profiles")

    assert_equal(syncing, copied, "profiles")
    assert syncing.sandbox.statuses("get_profiles").count(429) == 1


def test_a_cursor_that_expires_costs_no_row(syncing, copied):
    syncing.sandbox.limits(off=True)
    seed(syncing, profiles=1_500, items=450)
    # A page after a slow one comes too late, one after another in time: on a crowded machine, too.
    trap(syncing, cursor_seconds=stretched(0.25))
    for operation in ("get_profiles", "get_catalog_items"):
        syncing.sandbox.fault("latency", operation=operation, seconds=stretched(0.5), times=2)

    sync(syncing, "profiles", "catalog_items")

    assert_equal(syncing, copied, "profiles", "catalog_items")
    assert 400 in syncing.sandbox.statuses("get_profiles")
    assert 400 in syncing.sandbox.statuses("get_catalog_items")


def test_records_that_change_and_vanish_while_they_are_read_are_right_in_the_end(syncing, copied):
    seed(syncing, profiles=2_000, events=2_000)
    trap(syncing, churn={"type": "profile", "per_second": 100, "deletes_per_second": 5, "seed": 3})
    syncing.sandbox.fault("latency", seconds=0.1, times=None)
    sync(syncing, "profiles", mode="full")
    sync(syncing, "profiles")
    syncing.sandbox.clear_traps()

    sync(syncing, "profiles")
    sync(syncing, "profiles", mode="full")

    assert_equal(syncing, copied, "profiles")
