"""Where a run begins, and when it may move its watermark."""

from datetime import UTC, datetime, timedelta

from schedules.pull.watermark import TimeField, may_advance, run_start

FIELD = TimeField("updated", look_back=timedelta(hours=1))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_run_begins_the_overlap_before_its_watermark():
    assert run_start(FIELD, NOON) == NOON - timedelta(hours=1)


def test_a_stream_that_was_never_read_begins_at_its_beginning():
    assert run_start(FIELD, None) is None


def test_a_run_that_was_asked_for_from_a_time_begins_there():
    assert run_start(FIELD, NOON, since=NOON + timedelta(days=1)) == NOON + timedelta(days=1)


def test_a_run_that_begins_after_the_watermark_leaves_it_where_it_is():
    assert may_advance(None, None)
    assert may_advance(NOON, NOON)
    assert not may_advance(NOON + timedelta(seconds=1), NOON)
    assert not may_advance(NOON, None)
