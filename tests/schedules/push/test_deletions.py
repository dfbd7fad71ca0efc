"""Whether a push may delete what its source no longer has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schedules.push import run as push
from schedules.push.choice import Tally
from schedules.push.hashes import PushedRecords
from schedules.push.kinds import Push
from schedules.push.report import NotDeleted
from schedules.store import runs
from schedules.store.connection import transaction

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KNOWN = 20


class Choice:
    """What the run has read."""

    def __init__(self, **read):
        self.tally = Tally(**read)


@pytest.fixture
def running(store, monkeypatch):
    """Return a run of a push that knows twenty records, some of which its source lacks."""
    monkeypatch.setattr(push, "current_time", lambda: NOW)

    def make(missing, **read):
        wanted = Push("catalog_items", [], delete="missing")
        made = push._Running(wanted, wanted.checked(), "default", lambda report: None, lambda: False)
        keys = [f"SKU-{number}" for number in range(KNOWN)]
        with transaction() as connection:
            records = PushedRecords("default", wanted.stream)
            records.set_digests(connection, dict.fromkeys(keys, b"digest"), made.id - 1, NOW)
            records.mark_seen(connection, keys[missing:], made.id)
        made._selection = Choice(**read)
        return made

    return make


def test_up_to_a_tenth_may_be_deleted(running):
    assert running(KNOWN // 10)._may_delete(force=False)


def test_where_nothing_is_missing_nothing_is_deleted(running):
    assert not running(0)._may_delete(force=False)


def test_where_more_than_a_tenth_is_missing_nothing_is_deleted_unless_it_is_forced(running):
    run = running(KNOWN // 10 + 1)

    with pytest.raises(NotDeleted, match="3 of 20 records are no longer in the source"):
        run._may_delete(force=False)
    assert run._may_delete(force=True)


def test_a_refusal_to_delete_tells_what_was_sent_all_the_same(running):
    run = running(KNOWN // 10 + 1, checked=2)
    with transaction() as connection:
        runs.set_report(connection, run.id, {"updated": 1, "rejected": 3})

    with pytest.raises(NotDeleted) as refused:
        run._may_delete(force=False)
    assert "0 created, 1 updated, 5 not landed" in str(refused.value)
    assert "Nothing was sent" not in str(refused.value)
    assert str(NotDeleted(*refused.value.args)) == str(refused.value)


def test_where_a_row_could_not_be_read_nothing_is_deleted(running):
    run = running(1, nameless=1)

    assert not run._may_delete(force=True)
    assert "1 rows could not be read" in run._note
