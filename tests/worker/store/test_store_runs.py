"""Runs: pages count once, runs can be gone on with, watermarks only move forward."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from worker.store.connection import transaction
from worker.store.runs import Window, advance, begin, count_page, end, last, plan, unread, watermark
from worker.store.tables import sync_runs

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
