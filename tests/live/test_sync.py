"""Streams copied into the store by real workers: equal to what the sandbox has, whatever it does to its readers.

Each trap has broken somebody's sync; its test has its name.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from copies import TYPES, Copy, assert_equal, states, sync
from system import until

from schedules.sync import start
from worker.store import tables


@pytest.fixture
def syncing(system, store):
    """A worker that knows the store, and a Klaviyo without limits."""
    system.sandbox.limits(off=True)
    system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()
    yield system
    system.sandbox.limits(off=False)
    system.sandbox.clear_traps()


def seed(system, **how):
    system.sandbox.seed(account="default", **how)


def trap(system, **how):
    system.sandbox.trap(account="default", **how)


def test_every_stream_is_copied_whole(syncing, store):
    seed(
        syncing, profiles=300, events=500, lists=12, segments=11, members=130, campaigns=4, templates=15, categories=3,
        items=120, variants=130, coupons=2, codes=150, tags=60, forms=3, images=25,
    )  # fmt: skip

    sync(syncing, *TYPES, "list_members", "segment_members", "jobs")

    assert_equal(syncing, store, *TYPES)
    for stream, of, column in (("list_members", "list", "list_id"), ("segment_members", "segment", "segment_id")):
        groups = syncing.sandbox.rows(of)
        there = {(id, each) for id, row in groups.items() for each in row["relationships"].get("profiles", ())}
        assert store.members(stream, column) == there
    messages = store.rows("campaign_messages").values()
    assert {row["campaign_id"] for row in messages} == set(store.rows("campaigns"))
    assert syncing.sandbox.throttled() == 0


def test_a_second_run_reads_what_has_changed_and_no_more(syncing, store):
    seed(syncing, profiles=3_000)
    sync(syncing, "profiles")
    changed = syncing.sandbox.change(account="default", type="profile", share=0.01)

    sync(syncing, "profiles")

    first, second = store.runs("profiles")
    assert_equal(syncing, store, "profiles")
    assert second["rows"] >= len(changed)
    assert second["requests"] <= 0.04 * first["requests"]


def test_what_was_deleted_is_noticed_by_a_full_scan(syncing, store):
    seed(syncing, profiles=500)
    sync(syncing, "profiles")
    gone = syncing.sandbox.change(account="default", type="profile", delete=7)

    sync(syncing, "profiles")
    assert len(store.rows("profiles")) == 500
    sync(syncing, "profiles", mode="full")

    assert_equal(syncing, store, "profiles")
    marked = store.select(sa.select(tables.profiles).where(tables.profiles.c.deleted_at.is_not(None)))
    assert {row["id"] for row in marked} == set(gone)


def test_who_has_left_a_list_is_noticed(syncing, store):
    seed(syncing, profiles=50, lists=1, members=30)
    sync(syncing, "lists", "list_members")
    [(list_id, row)] = [each for each in syncing.sandbox.rows("list").items() if each[1]["relationships"]["profiles"]]
    left = row["relationships"]["profiles"][:4]
    from tasks.lists import remove_profiles_from_list

    remove_profiles_from_list(list_id=list_id, profile_ids=left)
    sync(syncing, "lists", "list_members")

    assert {id for _, id in store.members("list_members", "list_id")} == set(row["relationships"]["profiles"][4:])


def test_a_list_that_is_not_there_for_once_keeps_its_members(syncing, store):
    seed(syncing, profiles=50, lists=1, members=30)
    sync(syncing, "lists", "list_members")
    before = store.members("list_members", "list_id")
    syncing.sandbox.fault("status", operation="get_profiles_for_list", status=404, times=None)

    sync(syncing, "lists", "list_members")

    assert store.members("list_members", "list_id") == before


def test_events_dated_into_the_future_do_not_freeze_the_sync(syncing, store):
    seed(syncing, profiles=50, events=400)
    trap(syncing, events_in_future=30, refuse_future_end=True)
    sync(syncing, "events")
    assert len(store.rows("events")) == 400
    assert store.watermark("events") <= datetime.now(UTC)
    seed(syncing, events=100, days=1, seed=5)

    sync(syncing, "events")
    assert len(store.rows("events")) == 500
    sync(syncing, "events", mode="full")

    assert_equal(syncing, store, "events")


def test_rows_of_one_time_are_not_lost_at_the_border_of_a_page(syncing, store):
    seed(syncing, profiles=200, events=1_500)
    trap(syncing, equal_timestamps=2_300)

    sync(syncing, "profiles", "events")

    assert_equal(syncing, store, "profiles", "events")


def test_rows_at_the_bound_of_greater_than_are_written_once(syncing, store):
    seed(syncing, profiles=400)
    trap(syncing, bound_included=True)
    sync(syncing, "profiles")
    syncing.sandbox.change(account="default", type="profile", share=0.1)

    sync(syncing, "profiles")

    assert_equal(syncing, store, "profiles")


def test_archived_campaigns_that_come_out_of_order_are_all_read(syncing, store):
    seed(syncing, campaigns=120)
    trap(syncing, unsorted_archived_campaigns=True)

    sync(syncing, "campaigns", mode="full")

    assert_equal(syncing, store, "campaigns")
    assert {(row["channel"], row["archived"]) for row in store.rows("campaigns").values()} == {
        (channel, archived) for channel in ("email", "sms", "mobile_push") for archived in (False, True)
    }


def test_a_page_that_klaviyo_does_not_give_at_once_costs_no_row(syncing, store):
    seed(syncing, profiles=400)
    for fault in ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "malformed"}, {"kind": "challenge"}):
        syncing.sandbox.fault(**fault, operation="get_profiles", times=1)
    syncing.sandbox.fault("throttle", operation="get_profiles", retry_after=1, times=1)

    sync(syncing, "profiles")

    assert_equal(syncing, store, "profiles")
    assert syncing.sandbox.statuses("get_profiles").count(429) == 1


def test_a_cursor_that_expires_costs_no_row(syncing, store):
    seed(syncing, profiles=1_500, items=450)
    trap(syncing, cursor_seconds=0.25)
    syncing.sandbox.fault("latency", seconds=0.2, probability=0.3, times=None)

    sync(syncing, "profiles", "catalog_items")

    assert_equal(syncing, store, "profiles", "catalog_items")
    assert 400 in syncing.sandbox.statuses("get_profiles") + syncing.sandbox.statuses("get_catalog_items")


def test_records_that_change_and_vanish_while_they_are_read_are_right_in_the_end(syncing, store):
    seed(syncing, profiles=2_000, events=2_000)
    trap(syncing, churn={"type": "profile", "per_second": 100, "deletes_per_second": 5, "seed": 3})
    syncing.sandbox.fault("latency", seconds=0.1, times=None)
    sync(syncing, "profiles", mode="full")
    sync(syncing, "profiles")
    syncing.sandbox.clear_traps()

    sync(syncing, "profiles")
    sync(syncing, "profiles", mode="full")

    assert_equal(syncing, store, "profiles")


def test_events_that_arrive_late_are_found_by_looking_back_a_day(syncing, store):
    seed(syncing, profiles=50, events=300)
    sync(syncing, "events")
    seed(syncing, events=200, days=0.9, seed=9)

    sync(syncing, "events")

    assert_equal(syncing, store, "events")


def test_a_run_of_which_redis_has_forgotten_everything_goes_on(syncing, store):
    seed(syncing, profiles=1_200)
    syncing.sandbox.fault("latency", seconds=0.3, times=None)
    start("default", ["profiles"], "full")
    until(lambda: len(syncing.sandbox.ledger("get_profiles")) >= 4, 20, "four pages")
    syncing.workers[0].kill()
    syncing.redis.flushall()
    syncing.sandbox.clear_faults()
    syncing.worker(STORE_URL=store.url, CONCURRENCY=16).ready()

    sync(syncing, "profiles", mode="full")

    assert_equal(syncing, store, "profiles")
    assert len(store.runs("profiles")) == 1


def test_a_run_from_a_later_time_on_moves_no_watermark_over_what_it_left_out(syncing, store):
    seed(syncing, profiles=300, days=20)
    request = start("default", ["profiles"], since=datetime.now(UTC) - timedelta(days=2))
    until(lambda: set(states(syncing, request).values()) == {"done"}, 20, "the end")
    assert len(store.rows("profiles")) < 200

    sync(syncing, "profiles")

    assert_equal(syncing, store, "profiles")


def test_postgresql_is_written_by_many_threads_at_once(system, new_postgres):
    store = Copy(new_postgres(None))
    system.sandbox.limits(off=True)
    seed(system, profiles=1_500, events=12_000, lists=6, members=150, campaigns=4, items=150, tags=20)
    for _ in range(2):
        system.worker(STORE_URL=store.url, CONCURRENCY=16).ready()
    streams = ("profiles", "events", "lists", "campaigns", "campaign_messages", "catalog_items", "tags")

    sync(system, *streams, "list_members", mode="full")

    assert_equal(system, store, *streams)
    system.sandbox.limits(off=False)
    store.close()
