"""Runs: pages count once, runs can be gone on with, watermarks only move forward."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from schedules.store.connection import transaction
from schedules.store.runs import (
    Window,
    advance,
    begin,
    count_page,
    end,
    goes_on,
    last,
    left,
    plan,
    prune,
    read_from,
    split,
    unread,
    watermark,
)
from schedules.store.tables import sync_runs

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMAIL, SMS = Window("email"), Window("sms", since=NOON - HOUR, until=NOON)


@pytest.fixture
def connection(store):
    with transaction() as connection:
        yield connection


@pytest.fixture
def run(connection):
    number = begin(connection, "default", "campaigns", "pull", "incremental", NOON)
    plan(connection, number, [EMAIL, SMS])
    return number


def test_a_run_that_has_not_ended_is_found_to_be_gone_on_with(connection, run):
    found = last(connection, "default", "campaigns", "pull")

    assert (found["id"], found["state"], found["started"]) == (run, "running", NOON)
    assert last(connection, "default", "campaigns", "push") is last(connection, "eu", "campaigns", "pull") is None


def test_runs_are_numbered_upwards(connection, run):
    assert begin(connection, "default", "campaigns", "pull", "full", NOON) > run


def test_a_page_counts_once_however_often_it_is_delivered(connection, run):
    counted = [count_page(connection, run, EMAIL, 1, rows=100) for _ in range(2)]

    assert counted == [True, False]
    assert [(row["pages"], row["rows"]) for row in unread(connection, run)] == [(1, 100), (0, 0)]


def test_a_page_out_of_turn_does_not_count(connection, run):
    assert not count_page(connection, run, EMAIL, 2, rows=100)


def test_a_window_is_closed_by_its_last_page(connection, run):
    count_page(connection, run, EMAIL, 1, rows=100)
    count_page(connection, run, EMAIL, 2, rows=3, closed=NOON + HOUR)

    (left,) = unread(connection, run)
    assert (left["partition"], left["since"], left["until"]) == ("sms", NOON - HOUR, NOON)
    assert not count_page(connection, run, EMAIL, 3, rows=1)


def test_a_run_planned_again_goes_on_where_it_was(connection, run):
    count_page(connection, run, EMAIL, 1, rows=100, closed=NOON + HOUR)

    plan(connection, run, [EMAIL, SMS])

    assert [row["partition"] for row in unread(connection, run)] == ["sms"]


def test_a_run_ends_once_with_what_its_windows_have_read(connection, run):
    count_page(connection, run, EMAIL, 1, rows=100)
    count_page(connection, run, SMS, 1, rows=7, closed=NOON)

    end(connection, run, "done", NOON + HOUR, {"deleted": 2})
    end(connection, run, "failed", NOON + HOUR * 2)

    row = connection.execute(select(sync_runs)).mappings().one()
    assert (row["state"], row["ended"], row["rows"], row["requests"]) == ("done", NOON + HOUR, 107, 2)
    assert row["report"] == {"deleted": 2}


def test_a_watermark_moves_forward_only(connection):
    values = []
    for value in (NOON, NOON + HOUR, NOON - HOUR):
        advance(connection, "default", "events", "", value)
        values.append(watermark(connection, "default", "events"))

    assert values == [NOON, NOON + HOUR, NOON + HOUR]


def test_each_partition_has_a_watermark_of_its_own(connection):
    advance(connection, "default", "campaigns", "channel=email", NOON)

    assert watermark(connection, "default", "campaigns", "channel=sms") is None


def test_a_cut_window_ends_where_the_fresh_one_begins_and_is_cut_once(connection, run):
    cut, fresh = NOON - HOUR / 2, Window("sms", 7, NOON - HOUR / 2, NOON)

    assert split(connection, run, SMS, cut, fresh)
    assert not split(connection, run, SMS, cut, Window("sms", 8, cut, NOON))
    assert [(each["slice"], each["until"]) for each in unread(connection, run)] == [(0, None), (0, cut), (7, NOON)]


def test_what_was_read_from_is_the_earliest_beginning_of_a_partition(connection, run):
    assert read_from(connection, run, "email") is None
    assert read_from(connection, run, "sms") == NOON - HOUR


def test_the_windows_of_runs_long_over_are_forgotten(connection, run):
    end(connection, run, "done", NOON)

    prune(connection, "default", "campaigns", NOON)
    assert left(connection, run) == 2
    prune(connection, "default", "campaigns", NOON + HOUR)

    assert (left(connection, run), goes_on(connection, run)) == (0, False)
    assert last(connection, "default", "campaigns", "pull")["id"] == run
