"""Streams copied into the store by a real worker: equal to what the sandbox has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from schedules.store import tables
from schedules.sync import request_sync
from tests.live.copies import TYPES, assert_equal, seed, states, sync
from tests.live.system import until


def test_every_stream_is_copied_whole(syncing, copied):
    seed(
        syncing, profiles=300, events=500, lists=12, segments=11, members=130, campaigns=4, templates=15, categories=3,
        items=120, variants=130, coupons=2, codes=150, tags=60, forms=3, images=25,
    )  # fmt: skip

    sync(syncing, *TYPES, "list_members", "segment_members", "jobs")

    assert_equal(syncing, copied, *TYPES)
    for stream, of, column in (("list_members", "list", "list_id"), ("segment_members", "segment", "segment_id")):
        groups = syncing.sandbox.rows(of)
        there = {(id, each) for id, row in groups.items() for each in row["relationships"].get("profiles", ())}
        assert copied.members(stream, column) == there
    messages = copied.rows("campaign_messages").values()
    assert {row["campaign_id"] for row in messages} == set(copied.rows("campaigns"))
    assert syncing.sandbox.throttled() == 0


def test_a_second_run_reads_what_has_changed_and_no_more(syncing, copied):
    seed(syncing, profiles=3_000)
    sync(syncing, "profiles")
    changed = syncing.sandbox.change(account="default", type="profile", share=0.01)

    sync(syncing, "profiles")

    first, second = copied.runs("profiles")
    assert_equal(syncing, copied, "profiles")
    assert second["rows"] >= len(changed)
    assert second["requests"] <= 0.04 * first["requests"]


def test_what_was_deleted_is_noticed_by_a_full_scan(syncing, copied):
    seed(syncing, profiles=500)
    sync(syncing, "profiles")
    gone = syncing.sandbox.change(account="default", type="profile", delete=7)

    sync(syncing, "profiles")
    assert len(copied.rows("profiles")) == 500
    sync(syncing, "profiles", mode="full")

    assert_equal(syncing, copied, "profiles")
    marked = copied.select(sa.select(tables.profiles).where(tables.profiles.c.deleted_at.is_not(None)))
    assert {row["id"] for row in marked} == set(gone)


def test_who_has_left_a_list_is_noticed(syncing, copied):
    seed(syncing, profiles=50, lists=1, members=30)
    sync(syncing, "lists", "list_members")
    [(list_id, row)] = [each for each in syncing.sandbox.rows("list").items() if each[1]["relationships"]["profiles"]]
    left = row["relationships"]["profiles"][:4]
    from tasks.lists import remove_profiles_from_list

    remove_profiles_from_list(list_id=list_id, profile_ids=left)
    sync(syncing, "lists", "list_members")

    assert {id for _, id in copied.members("list_members", "list_id")} == set(row["relationships"]["profiles"][4:])


def test_a_list_that_is_not_there_for_once_keeps_its_members(syncing, copied):
    seed(syncing, profiles=50, lists=1, members=30)
    sync(syncing, "lists", "list_members")
    before = copied.members("list_members", "list_id")
    syncing.sandbox.fault("status", operation="get_profiles_for_list", status=404, times=None)

    sync(syncing, "lists", "list_members")

    assert copied.members("list_members", "list_id") == before


def test_events_that_arrive_late_are_found_by_looking_back_a_day(syncing, copied):
    seed(syncing, profiles=50, events=300)
    sync(syncing, "events")
    seed(syncing, events=200, days=0.9, seed=9)

    sync(syncing, "events")

    assert_equal(syncing, copied, "events")


def test_a_run_from_a_later_time_on_moves_no_watermark_over_what_it_left_out(syncing, copied):
    seed(syncing, profiles=300, days=20)
    request = request_sync("default", ["profiles"], since=datetime.now(UTC) - timedelta(days=2))
    until(lambda: set(states(syncing, request).values()) == {"done"}, 20, "the end")
    assert len(copied.rows("profiles")) < 200

    sync(syncing, "profiles")

    assert_equal(syncing, copied, "profiles")
