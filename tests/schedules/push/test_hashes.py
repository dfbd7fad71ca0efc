"""What the store knows of pushed records: a digest is written for what has landed, and for nothing else."""

from datetime import UTC, datetime

import pytest

from schedules.push.hashes import DOUBTFUL, Records, Sent
from schedules.store import runs
from schedules.store.connection import transaction

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ITEMS = Records("default", "catalog_items")
OLD, NEW = b"\x01" * 16, b"\x02" * 16


@pytest.fixture
def connection(store):
    with transaction() as connection:
        yield connection


@pytest.fixture
def run(connection):
    return runs.begin(connection, "default", "catalog_items", "push", "incremental", NOW)


def sent(connection, run, *rows):
    ITEMS.send(connection, "p-1", run, rows)


def land(connection, lost=frozenset(), **told):
    ITEMS.land(connection, "p-1", lost, {"rejected": 0, "unknown": 0, **told}, NOW)


def digests(connection, *keys):
    return ITEMS.digests(connection, keys)


def test_what_has_landed_is_known_and_what_has_not_is_new_again(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False), Sent(2, "B", NEW.hex(), False))
    land(connection, lost={2}, rejected=1)

    assert digests(connection, "A", "B") == {"A": NEW}
    report = runs.run(connection, run)["report"]
    assert (report["created"], report["updated"], report["landed"], report["rejected"]) == (1, 0, 1, 1)
    assert ITEMS.on_their_way(connection, 10) == []


def test_a_change_that_did_not_land_leaves_a_record_of_which_nobody_knows_how_it_is(connection, run):
    ITEMS.adopt(connection, {"A": OLD, "B": OLD}, run, NOW)
    sent(connection, run, Sent(1, "A", NEW.hex(), True), Sent(2, "B", NEW.hex(), True))
    land(connection, lost={1})

    assert digests(connection, "A", "B") == {"A": DOUBTFUL, "B": NEW}


def test_of_a_part_that_was_never_sent_nothing_has_landed(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False))
    land(connection, lost=None)

    assert digests(connection, "A") == {}


def test_what_was_deleted_is_forgotten_and_what_could_not_be_is_kept(connection, run):
    ITEMS.adopt(connection, {"A": OLD, "B": OLD}, run, NOW)
    sent(connection, run, Sent(1, "A", None, True), Sent(2, "B", None, True))
    land(connection, lost={2})

    assert digests(connection, "A", "B") == {"B": OLD}
    assert runs.run(connection, run)["report"]["deleted"] == 1


def test_parts_that_end_after_their_run_are_counted_with_it(connection, run):
    sent(connection, run, Sent(1, "A", NEW.hex(), False))
    runs.end(connection, run, "failed", NOW, {"created": 4, "updated": 0, "deleted": 0, "landed": 4}, counts=(9, 1))
    land(connection)

    found = runs.run(connection, run)
    assert (found["report"]["created"], found["report"]["landed"], found["rows"]) == (5, 5, 9)


def test_missing_is_what_a_run_has_not_seen_in_this_push(connection, run):
    Records("default", "catalog_items:other").adopt(connection, {"X": OLD}, run - 1, NOW)
    ITEMS.adopt(connection, {"A": OLD, "B": OLD, "C": OLD}, run - 1, NOW)
    ITEMS.saw(connection, ["B"], run)

    assert ITEMS.missing(connection, run) == ["A", "C"]
    assert ITEMS.missing(connection, run, after="A") == ["C"]
    assert (ITEMS.count(connection), ITEMS.count(connection, unseen_by=run)) == (3, 2)
