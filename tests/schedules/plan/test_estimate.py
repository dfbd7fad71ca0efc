"""What a sync would take: from the store as far as it is known, otherwise from a few pages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from schedules.plan import counting
from schedules.plan import estimate as plan
from schedules.plan.estimate import ROW_S, Estimate, total_seconds
from schedules.plan.probes import Probes
from schedules.pull import pages as pull
from schedules.pull.streams import STREAMS
from schedules.store import runs
from schedules.store.connection import transaction
from schedules.store.rows import upsert
from schedules.store.runs import SyncWindow
from tests.schedules.listing import Listing, spread
from worker.governor import BucketLook, Look

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def looks(store, monkeypatch):
    """A store for the estimate, and a governor that knows of no other work unless a test says so."""
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_a")
    known = []
    monkeypatch.setattr(counting, "redis_time", lambda: datetime.now(UTC))
    monkeypatch.setattr(
        plan, "get_governor", lambda: SimpleNamespace(lines=lambda account: [], look=lambda lines: known)
    )
    return known


class Silent:
    """A Klaviyo that must not be asked."""

    def __call__(self, action, params):
        raise AssertionError(f"{action.declaration.name} was asked for {params}")


def planned(*streams, mode="incremental", ask=None, since=None):
    return plan.estimate_sync("default", streams, mode, since, Probes(ask or Silent()))


def stored(name, rows):
    upserted = [{"account": "default", "synced_at": NOW, **row} for row in rows]
    with transaction() as connection:
        upsert(connection, STREAMS[name].table, upserted)


def read_before(name, rows=0, requests=1, seconds=10, mode="full", state="done"):
    with transaction() as connection:
        run = runs.create(connection, "default", name, "pull", mode, NOW)
        runs.end(connection, run, state, NOW + timedelta(seconds=seconds), None, (rows, requests))


def test_a_list_without_a_time_takes_as_many_pages_as_the_store_has_rows(looks):
    stored("catalog_items", [{"id": f"{each}"} for each in range(250)])
    read_before("catalog_items", 250, 3)

    [found] = planned("catalog_items")

    assert (found.rows, found.requests, found.mode, found.source) == (250, 3, "full", "the store")
    assert (found.probes, found.uncertainty, found.at_least) == (0, 0.0, False)


def test_rows_that_are_deleted_are_not_read_again(looks):
    stored("catalog_items", [{"id": f"{each}", "deleted_at": NOW if each < 150 else None} for each in range(250)])
    read_before("catalog_items", 250, 3)

    [found] = planned("catalog_items")

    assert (found.rows, found.requests) == (100, 1)


def test_a_stream_by_parents_takes_at_least_a_page_for_each_of_them(looks):
    stored("lists", [{"id": name} for name in ("empty", "small", "large")])
    members = [("small", 1), ("large", 250)]
    rows = [{"list_id": id, "profile_id": f"{each}", "joined_at": NOW} for id, n in members for each in range(n)]
    stored("list_members", rows)
    read_before("lists")
    read_before("list_members", 251, 5)

    [found] = planned("list_members")

    assert (found.rows, found.requests, found.at_least) == (251, 1 + 1 + 3, False)


def test_a_stream_by_parents_that_was_never_read_takes_at_least_one_for_each_and_says_so(looks):
    stored("lists", [{"id": name} for name in ("a", "b", "c")])
    read_before("lists")

    [found] = planned("list_members")

    assert (found.requests, found.at_least) == (3, True)


def test_parents_that_the_store_does_not_know_are_counted_by_the_same_plan(looks):
    lists, members = planned("lists", "list_members", ask=Listing(spread("even", 7, 30, 1), "updated"))

    assert (lists.rows, lists.requests, lists.probes) == (7, 1, 1)
    assert (members.requests, members.at_least, members.probes) == (7, True, 0)


def test_jobs_are_counted_by_the_last_run_because_klaviyo_forgets_them(looks):
    stored("jobs:profile-bulk-import", [{"id": f"{each}", "kind": "profile-bulk-import-job"} for each in range(900)])
    read_before("jobs:profile-bulk-import", 150, 2)

    [found] = planned("jobs:profile-bulk-import")

    assert (found.rows, found.requests, found.source) == (150, 2, "its last run")


def test_a_failed_run_is_no_source_for_a_plan(looks):
    read_before("metrics", 0, 0, state="failed")

    [found] = planned("metrics", ask=Listing(range(8), "created"))

    assert (found.rows, found.requests, found.source) == (8, 1, "its first pages")


def test_a_full_scan_is_known_from_the_store_except_for_what_came_since(looks, monkeypatch):
    since = datetime.now(UTC) - timedelta(hours=2)
    old = [{"id": f"{each}", "created": since - timedelta(minutes=each + 1)} for each in range(4_000)]
    stored("profiles", old)
    with transaction() as connection:
        runs.advance_watermark(connection, "default", "profiles", "", since)
    newer = Listing([(since + timedelta(minutes=each)).timestamp() for each in range(1, 61)], "created")

    [found] = planned("profiles", mode="full", ask=newer)

    assert (found.rows, found.probes, found.source) == (4_060, 1, "the store")
    assert 41 <= found.requests <= 43


def test_what_has_changed_is_requested_from_the_watermark_on(looks):
    mark = datetime.now(UTC) - timedelta(hours=2)
    stored("profiles", [{"id": f"{each}", "created": mark} for each in range(500)])
    with transaction() as connection:
        runs.advance_watermark(connection, "default", "profiles", "", mark)
    listing = Listing([(mark + timedelta(minutes=each)).timestamp() for each in range(-600, 60)], "updated")

    [found] = planned("profiles", ask=listing)

    # Five minutes of them lie before the watermark: so far a run looks back.
    assert (found.rows, found.requests, found.probes) == (65, 1, 1)


def test_campaigns_are_requested_by_channel_and_whether_they_are_archived(looks):
    [found] = planned("campaigns", ask=Listing([], "updated_at"))

    assert (found.requests, found.probes) == (6, 6)


def test_a_report_takes_a_share_of_the_day(looks, monkeypatch):
    monkeypatch.setattr(counting, "conversion_metric", lambda account: ("M", "Placed Order"))
    monkeypatch.setattr(counting, "requests_left_today", lambda account, action: 225)

    [found] = planned("campaign_values")

    assert (found.requests, found.rows, found.source) == (30, None, "30 days that are due")
    assert (found.minutes, found.days) == (15.0, pytest.approx(30 / 225))
    assert found.seconds == 14 * 60


def test_work_in_flight_makes_it_take_longer(looks):
    stored("tags", [{"id": f"{each}"} for each in range(1_000)])
    read_before("tags", 1_000, 20, seconds=5)
    [idle] = planned("tags")
    windows = ((0, 3, 1_000), (50, 60, 60_000))
    bucket = BucketLook("default:get_tags", windows, 0, 0, 0.0)
    looks.append(Look("default:get_tags", "klaviyo.s", 0, 0, 0, None, 0.0, (bucket,)))

    [busy] = planned("tags")

    assert (idle.requests, idle.minutes) == (20, pytest.approx(1 / 3))
    assert idle.seconds < 10
    assert busy.seconds == 60


def test_how_long_rows_took_in_the_last_run_counts_more_than_the_usual(looks):
    stored("catalog_items", [{"id": f"{each}"} for each in range(2_000)])
    read_before("catalog_items", 2_000, 20, seconds=100)

    [found] = planned("catalog_items")

    assert found.seconds == pytest.approx(100)


def estimate(stream, seconds, rows=0):
    return Estimate("default", stream, "full", rows, 1, 0.0, False, 0.1, None, seconds, "the store", 0)


def test_streams_are_read_at_once_and_children_after_their_parents():
    flows, actions, messages = (estimate(name, 10.0) for name in ("flows", "flow_actions", "flow_messages"))

    assert total_seconds([flows, actions, messages, estimate("events", 25.0)]) == 30.0
    assert total_seconds([replace(flows, rows=1_000_000)]) == pytest.approx(1_000_000 * ROW_S)


def test_the_windows_are_those_that_the_run_would_start_with(looks):
    since = datetime(2026, 11, 1, tzinfo=UTC)
    asked = Listing([], "datetime")

    planned("events", since=since, ask=asked)

    with transaction() as connection:
        [window] = pull.initial_windows(connection, "default", STREAMS["events"], "incremental", NOW, since)
    assert window == SyncWindow("", 0, since, NOW)
    assert asked.asked[0]["filter"].conditions[0] == ("datetime", "greater-or-equal", "2026-11-01T00:00:00Z")
