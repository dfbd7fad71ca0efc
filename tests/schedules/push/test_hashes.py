"""What the store knows of pushed records: a digest is written for what has landed, and for nothing else."""

from datetime import UTC, datetime

import pytest

from schedules.push.hashes import DOUBTFUL, PushedRecords, Sent
from schedules.store import runs
from schedules.store.connection import transaction

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ITEMS = PushedRecords("default", "catalog_items")
OLD, NEW = b"\x01" * 16, b"\x02" * 16


@pytest.fixture
def connection(store):
    with transaction() as connection:
        yield connection


@pytest.fixture
def run(connection):
    return runs.create(connection, "default", "catalog_items", "push", "incremental", NOW)


def sent(connection, run, *rows):
    ITEMS.add_part(connection, "p-1", run, rows)


def settle_part(connection, lost=frozenset(), **told):
    ITEMS.settle_part(connection, "p-1", lost, {"rejected": 0, "unknown": 0, **told}, NOW)


def digests(connection, *keys):
    return ITEMS.digests(connection, keys)


def test_what_has_landed_is_known_and_what_has_not_is_new_again(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False), Sent(2, "B", NEW.hex(), False))
    settle_part(connection, lost={2}, rejected=1)

    assert digests(connection, "A", "B") == {"A": NEW}
    report = runs.get(connection, run)["report"]
    assert (report["created"], report["updated"], report["landed"], report["rejected"]) == (1, 0, 1, 1)
    assert ITEMS.parts_in_flight(connection, 10) == []


def test_a_change_that_did_not_land_leaves_a_record_in_doubt(connection, run):
    ITEMS.set_digests(connection, {"A": OLD, "B": OLD}, run, NOW)
    sent(connection, run, Sent(1, "A", NEW.hex(), True), Sent(2, "B", NEW.hex(), True))
    settle_part(connection, lost={1})

    assert digests(connection, "A", "B") == {"A": DOUBTFUL, "B": NEW}


def test_nothing_of_a_part_that_was_never_sent_has_landed(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False))
    settle_part(connection, lost=None)

    assert digests(connection, "A") == {}


def test_what_was_deleted_is_forgotten_and_what_could_not_be_is_kept(connection, run):
    ITEMS.set_digests(connection, {"A": OLD, "B": OLD}, run, NOW)
    sent(connection, run, Sent(1, "A", None, True), Sent(2, "B", None, True))
    settle_part(connection, lost={2})

    assert digests(connection, "A", "B") == {"B": OLD}
    assert runs.get(connection, run)["report"]["deleted"] == 1


def test_parts_that_end_after_their_run_are_counted_with_it(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False))
    runs.end(connection, run, "failed", NOW, {"created": 4, "updated": 0, "deleted": 0, "landed": 4}, counts=(9, 1))
    settle_part(connection)

    found = runs.get(connection, run)
    assert (found["report"]["created"], found["report"]["landed"], found["rows"]) == (5, 5, 9)


def test_missing_is_what_a_run_has_not_seen_in_this_push(connection, run):
    PushedRecords("default", "catalog_items:other").set_digests(connection, {"X": OLD}, run - 1, NOW)
    ITEMS.set_digests(connection, {"A": OLD, "B": OLD, "C": OLD}, run - 1, NOW)
    ITEMS.mark_seen(connection, ["B"], run)

    assert ITEMS.missing_keys(connection, run) == ["A", "C"]
    assert ITEMS.missing_keys(connection, run, after="A") == ["C"]
    assert (ITEMS.count(connection), ITEMS.count(connection, unseen_by=run)) == (3, 2)
