"""Sources pushed by real workers: only what has changed travels, and whatever dies, nothing is doubled or lost."""

from __future__ import annotations

import csv
import signal
from collections import Counter

import pytest
import sqlalchemy as sa

from schedules.push.report import NotDeleted
from schedules.push.run import push
from schedules.store import tables
from schedules.store.engine import open_engine
from schedules.store.migrate import upgrade
from tests.live.forked import Forked
from tests.live.system import PATIENT, end, until
from tests.soak import sized
from worker.errors import Unauthorized
from worker.settings import get_settings

WORKER = PATIENT

MAP = ("sku=external_id",)


@pytest.fixture
def store(idle, tmp_path, monkeypatch):
    """A store of this test's own; the value tells how a push stands in it."""
    url = f"sqlite:///{tmp_path}/store.db"
    upgrade(url)
    monkeypatch.setenv("KLAVIYO_STORE_URL", url)
    get_settings.cache_clear()
    idle.sandbox.jobs(seconds=[0.1, 0.3], times=None)
    yield open_engine(url)
    get_settings.cache_clear()


def write(path, items, changed=(), price=1.0):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "title", "description", "url", "price"])
        for number in items:
            title = f"Mug {number}" + (", new" if number in changed else "")
            writer.writerow([f"S{number}", title, "It holds tea.", f"https://shop.example/{number}", price])
    return path


def titles(system):
    return {row["attributes"]["external_id"]: row["attributes"]["title"]
            for row in system.sandbox.rows("catalog-item").values()}  # fmt: skip


def jobs(system):
    """How many bulk jobs have been begun, by operation."""
    begun = (row["operation"] for row in system.sandbox.ledger() if row["operation"].startswith("bulk_"))
    return Counter(begun)


def test_a_second_push_of_three_thousand_items_sends_the_one_in_a_hundred_that_changed(idle, store, tmp_path):
    source = write(tmp_path / "items.csv", range(3_000))
    first = push("catalog_items", source, mapping=MAP)
    begun = jobs(idle)

    write(source, range(3_000), changed=range(0, 3_000, 100))
    second = push("catalog_items", source, mapping=MAP)

    assert (first.rows, first.created, first.updated, first.unchanged) == (3_000, 3_000, 0, 0)
    assert (second.rows, second.created, second.updated, second.unchanged) == (3_000, 0, 30, 2_970)
    assert begun == {"bulk_create_catalog_items": 30}
    assert jobs(idle) - begun == {"bulk_update_catalog_items": 1}
    assert second.requests == 1
    assert Counter(title.endswith(", new") for title in titles(idle).values()) == {False: 2_970, True: 30}
    print(first.seconds, second.seconds, first.requests)


PUSHING = """
import sys
from schedules.push.run import push
from schedules.push.report import NotDeleted
push("catalog_items", sys.argv[1], mapping=["sku=external_id"], delete=sys.argv[2])
"""


def begin(system, store, source, delete="none"):
    """A push in a process of its own."""
    command = ["-c", PUSHING, str(source), delete]
    environment = system.environment(STORE_URL=store.url.render_as_string(hide_password=False))
    return Forked(command, environment, source.with_suffix(".log"))


def rows(store, table):
    with store.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def lapse(system):
    """The lock of a process that was killed runs out."""
    system.redis.delete(*system.redis.keys("klaviyo:push:*"))


#: Of which there are a hundred in a job.
ITEMS = sized(1_500, 3_000)


@pytest.mark.soak
@pytest.mark.parametrize("parts", [1, 10, *([4, 20] if ITEMS > 2_000 else [])])
def test_a_push_that_is_killed_and_run_again_doubles_nothing_and_loses_no_change(idle, store, tmp_path, parts):
    source = write(tmp_path / "items.csv", range(ITEMS))
    idle.sandbox.jobs(seconds=[0.3, 0.6], times=None)
    process = begin(idle, store, source)
    until(lambda: jobs(idle).total() >= parts, 30, f"{parts} jobs")
    end(process, signal.SIGKILL)
    lapse(idle)

    write(source, range(ITEMS), changed=range(0, ITEMS, 1_000))
    report = push("catalog_items", source, mapping=MAP)

    assert [row["state"] for row in rows(store, tables.sync_runs)] == ["done"]
    assert (report.rows, report.created) == (ITEMS, ITEMS)
    assert report.rejected == report.unknown == 0
    assert jobs(idle)["bulk_create_catalog_items"] <= ITEMS // 100 + 1
    assert titles(idle) == {f"S{number}": f"Mug {number}" + (", new" if number % 1_000 == 0 else "")
                            for number in range(ITEMS)}  # fmt: skip
    assert not rows(store, tables.push_parts)


def test_what_the_source_no_longer_has_is_deleted_and_nothing_that_others_have_made(idle, store, tmp_path):
    source = write(tmp_path / "items.csv", range(300))
    push("catalog_items", write(tmp_path / "other.csv", ["X"]), mapping=MAP, name="other")
    push("catalog_items", source, mapping=MAP, delete="missing")

    write(source, range(20, 300))
    report = push("catalog_items", source, mapping=MAP, delete="missing")

    assert (report.deleted, report.unchanged, report.landed) == (20, 280, 20)
    assert set(titles(idle)) == {"SX", *(f"S{number}" for number in range(20, 300))}
    assert jobs(idle)["bulk_delete_catalog_items"] == 1


def test_an_empty_export_deletes_nothing_unless_it_is_forced(idle, store, tmp_path):
    source = write(tmp_path / "items.csv", range(50))
    push("catalog_items", source, mapping=MAP, delete="missing")
    write(source, [])

    with pytest.raises(NotDeleted, match="50 of 50 records are no longer in the source, more than a tenth"):
        push("catalog_items", source, mapping=MAP, delete="missing")
    assert len(titles(idle)) == 50
    report = push("catalog_items", source, mapping=MAP, delete="missing", force=True)

    assert report.deleted == 50
    assert titles(idle) == {}
    assert [row["state"] for row in rows(store, tables.sync_runs)] == ["done", "failed", "done"]


def test_an_item_that_is_at_klaviyo_already_is_updated_or_left_as_it_is(idle, store, tmp_path):
    source = write(tmp_path / "items.csv", range(30))
    push("catalog_items", source, mapping=MAP)
    write(source, range(40), changed=range(5))

    report = push("catalog_items", source, mapping=MAP, name="from another system")

    assert (report.created, report.updated, report.unchanged) == (10, 5, 25)


def test_events_that_are_pushed_twice_are_not_doubled_and_those_that_klaviyo_refused_are_tried_again(idle, store):
    def event(number, email="ada@example.com"):
        return {"email": email, "metric": "Placed Order", "unique_id": f"O{number}", "value": number}

    events = [event(number) for number in range(500)]
    bad = event(500, "bob@refused.example")
    first = push("events", [*events, bad])

    second = push("events", [*events, bad, event(501)])

    assert (first.created, first.rejected) == (500, 1)
    assert (second.unchanged, second.created, second.rejected) == (500, 1, 1)
    assert idle.sandbox.state()["event"] == 501


def test_a_key_that_may_not_write_fails_the_run_and_the_next_one_sends_everything(idle, store):
    people = [{"email": f"p{number}@example.com"} for number in range(20)]
    idle.sandbox.fault("status", status=401, operation="bulk_import_profiles", times=None)
    with pytest.raises(Unauthorized):
        push("profiles", people)
    idle.sandbox.clear_faults()

    report = push("profiles", people)

    assert (report.created, report.rejected) == (20, 0)
    assert [row["state"] for row in rows(store, tables.sync_runs)] == ["failed", "done"]
