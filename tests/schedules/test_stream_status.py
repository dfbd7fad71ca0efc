"""The status of each stream, from the store."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules.pull.streams import STREAMS
from schedules.store import runs
from schedules.store.connection import reading, transaction
from schedules.store.rows import upsert
from schedules.store.runs import SyncWindow
from schedules.store.tables import watermarks
from schedules.stream_status import last_successes, latest_runs, stream_status

pytestmark = pytest.mark.usefixtures("store")

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stored(name, *rows):
    with transaction() as connection:
        upsert(connection, STREAMS[name].table, [{"account": "default", "synced_at": NOW, **row} for row in rows])


def read(name, *windows, done=False):
    """A run of a stream that has read a page of each of these windows, of 70 rows."""
    with transaction() as connection:
        run = runs.create(connection, "default", name, "pull", "full", NOW)
        runs.add_windows(connection, run, windows)
        for each in windows:
            runs.count_page(connection, run, each, 1, 70, NOW if done else None)
        if done:
            runs.end(connection, run, "done", NOW + HOUR, {"deleted": 3})


def stands(name):
    with reading() as connection:
        return stream_status(connection, "default", name)


def test_rows_of_others_and_those_that_are_deleted_do_not_count():
    stored("tags", {"id": "a"}, {"id": "b", "deleted_at": NOW}, {"id": "c", "account": "eu"})

    assert stands("tags").rows == 1


def test_the_kinds_of_jobs_are_distinguished():
    stored("jobs:profile-bulk-import", {"id": "a", "kind": "profile-bulk-import-job"})
    stored("jobs:coupon-code-bulk-create", *({"id": id, "kind": "coupon-code-bulk-create-job"} for id in "ab"))

    assert (stands("jobs:profile-bulk-import").rows, stands("jobs:coupon-code-bulk-create").rows) == (1, 2)


def test_a_running_run_shows_what_its_windows_have_read():
    read("profiles", SyncWindow("", 0), SyncWindow("", 1))

    run = stands("profiles").run

    assert (run.state, run.rows, run.requests, run.closed, run.windows) == ("running", 140, 2, 0, 2)
    assert run.seconds(NOW + HOUR) == 3_600


def test_a_run_is_still_shown_when_its_windows_have_been_pruned():
    read("profiles", SyncWindow("", 0), done=True)
    with transaction() as connection:
        runs.prune_windows(connection, "default", "profiles", NOW + 2 * HOUR)

    run = stands("profiles").run

    assert (run.state, run.rows, run.requests, run.deleted) == ("done", 70, 1, 3)


def test_a_stream_is_as_far_as_the_partition_that_is_least_far():
    with transaction() as connection:
        runs.advance_watermark(connection, "default", "campaigns", "channel=email", NOW)
        runs.advance_watermark(connection, "default", "campaigns", "channel=sms", NOW - HOUR)

    assert stands("campaigns").watermark == NOW - HOUR


def test_what_comes_with_another_stream_has_its_run_and_its_watermark():
    read("campaigns", SyncWindow("channel=email", 0), done=True)
    stored("campaign_messages", {"id": "m"})

    messages = stands("campaign_messages")

    assert (messages.rows, messages.run) == (1, stands("campaigns").run)


def test_a_stream_that_was_never_read_has_no_run():
    assert (stands("flow_values").rows, stands("flow_values").run, stands("flows").run) == (0, None, None)


def test_the_latest_run_of_each_stream_is_found_by_itself():
    read("profiles", SyncWindow("", 0), done=True)
    read("profiles", SyncWindow("", 0), SyncWindow("", 1))
    read("tags", SyncWindow("", 0), done=True)
    with transaction() as connection:
        runs.create(connection, "default", "profiles", "push", "full", NOW)
        upsert(
            connection,
            watermarks,
            [
                {"account": "default", "stream": "profiles", "partition": part, "value": value}
                for part, value in (("a", NOW + HOUR), ("b", NOW))
            ],
        )

    with reading() as connection:
        profiles, tags = latest_runs(connection)

    assert (profiles.stream, profiles.watermark, profiles.run.state) == ("profiles", NOW, "running")
    assert (profiles.run.rows, profiles.run.closed, profiles.run.windows) == (140, 0, 2)
    assert (tags.stream, tags.watermark, tags.run.state, tags.run.deleted) == ("tags", None, "done", 3)
    assert (tags.run.rows, tags.run.requests) == (stands("tags").run.rows, stands("tags").run.requests)


def test_a_stream_was_last_up_to_date_when_a_run_of_it_came_to_its_end_whatever_runs_now():
    read("tags", SyncWindow("", 0), done=True)
    read("tags", SyncWindow("", 0))
    read("profiles", SyncWindow("", 0))

    with reading() as connection:
        assert last_successes(connection) == {("default", "tags"): NOW + HOUR}
