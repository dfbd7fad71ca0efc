"""Runs: pages count once, runs can be continued, watermarks only move forward."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from schedules.store import runs
from schedules.store.connection import transaction
from schedules.store.runs import (
    SyncWindow,
)
from schedules.store.tables import sync_runs

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMAIL, SMS = SyncWindow("email"), SyncWindow("sms", since=NOON - HOUR, until=NOON)


@pytest.fixture
def connection(store):
    with transaction() as connection:
        yield connection


@pytest.fixture
def run(connection):
    number = runs.create(connection, "default", "campaigns", "pull", "incremental", NOON)
    runs.add_windows(connection, number, [EMAIL, SMS])
    return number


def test_a_run_that_has_not_ended_is_found_and_continued(connection, run):
    found = runs.latest(connection, "default", "campaigns", "pull")

    assert (found["id"], found["state"], found["started"]) == (run, "running", NOON)
    assert (
        runs.latest(connection, "default", "campaigns", "push")
        is runs.latest(connection, "eu", "campaigns", "pull")
        is None
    )


def test_runs_are_numbered_upwards(connection, run):
    assert runs.create(connection, "default", "campaigns", "pull", "full", NOON) > run


def test_a_page_counts_once_however_often_it_is_delivered(connection, run):
    counted = [runs.count_page(connection, run, EMAIL, 1, rows=100) for _ in range(2)]

    assert counted == [True, False]
    assert [(row["pages"], row["rows"]) for row in runs.open_windows(connection, run)] == [(1, 100), (0, 0)]


def test_a_page_out_of_turn_does_not_count(connection, run):
    assert not runs.count_page(connection, run, EMAIL, 2, rows=100)


def test_a_window_is_closed_by_its_last_page(connection, run):
    runs.count_page(connection, run, EMAIL, 1, rows=100)
    runs.count_page(connection, run, EMAIL, 2, rows=3, closed=NOON + HOUR)

    (left,) = runs.open_windows(connection, run)
    assert (left["partition"], left["since"], left["until"]) == ("sms", NOON - HOUR, NOON)
    assert not runs.count_page(connection, run, EMAIL, 3, rows=1)


def test_windows_that_are_added_again_keep_their_progress(connection, run):
    runs.count_page(connection, run, EMAIL, 1, rows=100, closed=NOON + HOUR)

    runs.add_windows(connection, run, [EMAIL, SMS])

    assert [row["partition"] for row in runs.open_windows(connection, run)] == ["sms"]


def test_a_run_ends_once_with_what_its_windows_have_read(connection, run):
    runs.count_page(connection, run, EMAIL, 1, rows=100)
    runs.count_page(connection, run, SMS, 1, rows=7, closed=NOON)

    runs.end(connection, run, "done", NOON + HOUR, {"deleted": 2})
    runs.end(connection, run, "failed", NOON + HOUR * 2)

    row = connection.execute(select(sync_runs)).mappings().one()
    assert (row["state"], row["ended"], row["rows"], row["requests"]) == ("done", NOON + HOUR, 107, 2)
    assert row["report"] == {"deleted": 2}


def test_a_watermark_moves_forward_only(connection):
    values = []
    for value in (NOON, NOON + HOUR, NOON - HOUR):
        runs.advance_watermark(connection, "default", "events", "", value)
        values.append(runs.get_watermark(connection, "default", "events"))

    assert values == [NOON, NOON + HOUR, NOON + HOUR]


def test_each_partition_has_a_watermark_of_its_own(connection):
    runs.advance_watermark(connection, "default", "campaigns", "channel=email", NOON)

    assert runs.get_watermark(connection, "default", "campaigns", "channel=sms") is None


def test_a_cut_window_ends_where_the_fresh_one_begins_and_is_cut_once(connection, run):
    cut, fresh = NOON - HOUR / 2, SyncWindow("sms", 7, NOON - HOUR / 2, NOON)

    assert runs.split_window(connection, run, SMS, cut, fresh)
    assert not runs.split_window(connection, run, SMS, cut, SyncWindow("sms", 8, cut, NOON))
    assert [(each["slice"], each["until"]) for each in runs.open_windows(connection, run)] == [
        (0, None),
        (0, cut),
        (7, NOON),
    ]


def test_a_partition_begins_where_its_first_window_does_however_that_was_cut(connection, run):
    cut = NOON - HOUR / 2
    assert runs.split_window(connection, run, SMS, cut, SyncWindow("sms", 7, cut, NOON))

    assert runs.window_starts(connection, run) == {"email": None, "sms": NOON - HOUR}


def test_the_windows_of_runs_that_ended_long_ago_are_pruned(connection, run):
    runs.end(connection, run, "done", NOON)

    runs.prune_windows(connection, "default", "campaigns", NOON)
    assert runs.count_open_windows(connection, run) == 2
    runs.prune_windows(connection, "default", "campaigns", NOON + HOUR)

    assert (runs.count_open_windows(connection, run), runs.has_open_windows(connection, run)) == (0, False)
    assert runs.latest(connection, "default", "campaigns", "pull")["id"] == run
