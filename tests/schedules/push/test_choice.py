"""Which rows are sent, how, and which records count as missing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from schedules.push.choice import Selection
from schedules.push.hashes import DOUBTFUL, PushedRecords
from schedules.push.kinds import PUSH_KINDS, PushKind
from schedules.store import runs
from schedules.store.connection import transaction
from tasks.catalog_items import get_catalog_items
from tasks.imports.kinds import catalog_id
from tasks.imports.options import Options
from tasks.imports.plan import compile_plan
from tasks.imports.sources import open_rows

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Catalog:
    """Stands in for the action that lists the catalog; it counts its requests."""

    def __init__(self, **titles):
        self.titles, self.asked = titles, []

    def on(self, account, lane):
        return self

    def __call__(self, filter=None, page_size=None):
        self.asked.append(filter)
        ids = {catalog_id(key): title for key, title in self.titles.items()}
        found = [id for id in ids if filter is None or f'"{id}"' in filter]
        return {"data": [{"id": id, "attributes": wanted(id.rpartition(":::")[2], ids[id])} for id in found]}


def wanted(key, title):
    return {"external_id": key, "title": title, "description": "It holds tea.", "url": "https://shop.example"}


@pytest.fixture
def run(store):
    with transaction() as connection:
        return runs.create(connection, "default", "catalog_items", "push", "incremental", NOW)


@pytest.fixture
def selection(run, monkeypatch):
    monkeypatch.setattr("schedules.push.choice.current_time", lambda: NOW)

    def make(catalog=None, marks=False, kind="catalog_items", header=None):
        known = PUSH_KINDS[kind]
        read = catalog and SimpleNamespace(on=catalog.on, declaration=get_catalog_items.declaration)
        reading = PushKind(known.name, known.rows, known.update, known.delete, read)
        plan = compile_plan(known.rows.name, header, Options())
        return Selection(reading, plan, PushedRecords("default", kind), run, marks)

    return make


def pushed(run, kind="catalog_items", **digests):
    with transaction() as connection:
        PushedRecords("default", kind).set_digests(connection, digests, run, NOW)


def changes(selection, rows):
    """Return the keys of what is sent, by action, each with whether it was known."""
    found: dict[str, dict[str, bool]] = {}
    for each in selection.select_changes(open_rows(rows)):
        if each is not None:
            found.setdefault(each.action, {}).update({row.key: row.known for row in each.rows})
    return found


def digest(key, title, kind="catalog_items"):
    item = {"type": "catalog-item", "attributes": wanted(key, title)}
    return PUSH_KINDS[kind].digest(item)


def test_what_is_new_is_created_what_has_changed_updated_and_the_rest_not_sent(selection, run):
    pushed(run, A=digest("A", "Mug"), B=digest("B", "Mug"))
    catalog = Catalog()
    chosen = selection(catalog)

    found = changes(chosen, [wanted("A", "Mug"), wanted("B", "Jug"), wanted("C", "Cup")])

    assert found == {"bulk_create_catalog_items": {"C": False}, "bulk_update_catalog_items": {"B": True}}
    assert (chosen.tally.rows, chosen.tally.unchanged) == (3, 1)
    assert catalog.asked == ['any(ids,["$custom:::$default:::C"])']


def test_a_record_that_others_have_made_is_updated_where_it_differs(selection, run):
    pushed(run, A=digest("A", "Mug"))
    chosen = selection(Catalog(B="Mug", C="Mug"))

    found = changes(chosen, [wanted("A", "Mug"), wanted("B", "Mug"), wanted("C", "Cup")])

    assert found == {"bulk_update_catalog_items": {"C": True}}
    with transaction() as connection:
        assert PushedRecords("default", "catalog_items").digests(connection, ["B"]) == {"B": digest("B", "Mug")}


@pytest.mark.parametrize(
    ("there", "action"),
    [({"A": "Jug"}, "bulk_update_catalog_items"), ({}, "bulk_create_catalog_items")],
)
def test_a_record_in_doubt_is_looked_up(selection, run, there, action):
    pushed(run, A=DOUBTFUL, B=digest("B", "Mug"))

    assert list(changes(selection(Catalog(**there)), [wanted("A", "Mug")])) == [action]


def test_the_first_push_into_an_empty_catalog_asks_once(selection):
    catalog = Catalog()

    found = changes(selection(catalog), [wanted(f"S{number}", "Mug") for number in range(120)])

    assert len(found["bulk_create_catalog_items"]) == 120
    assert catalog.asked == [None]


def test_changed_items_of_many_batches_share_a_part(selection, run):
    rows = [wanted(f"S{number}", "Mug") for number in range(2_000)]
    pushed(run, **{row["external_id"]: digest(row["external_id"], "Mug") for row in rows})
    changed = [row | {"title": "Jug"} if place % 100 == 0 else row for place, row in enumerate(rows)]

    parts = [each for each in selection(Catalog()).select_changes(open_rows(changed)) if each]

    assert [len(each.rows) for each in parts] == [20]


def test_rows_that_were_rejected_are_in_the_source_all_the_same(selection, run):
    pushed(run - 1, A=digest("A", "Mug"), B=digest("B", "Mug"), C=digest("C", "Mug"))
    chosen = selection(Catalog(), marks=True)

    changes(chosen, [wanted("A", "Mug"), wanted("B", "Mug") | {"price": "dear"}])

    with transaction() as connection:
        assert PushedRecords("default", "catalog_items").missing_keys(connection, run) == ["C"]


def test_a_row_that_says_not_which_record_it_is_about_is_counted(selection):
    chosen = selection(Catalog(), marks=True)

    changes(chosen, [{"title": "Mug"}, wanted("A", "Mug")])

    assert (chosen.tally.checked, chosen.tally.nameless) == (1, 1)


def written(tmp_path, id):
    """Return a file with one item, without a title."""
    path = tmp_path / "items.csv"
    path.write_text(f"external_id,title,description,url\n{id},,It holds tea.,https://shop.example\n")
    return path


@pytest.mark.parametrize("id", ["'00123", Decimal("00123"), 123])
def test_the_record_of_a_rejected_row_is_known_by_its_id_however_that_is_written(selection, run, tmp_path, id):
    key = "00123" if isinstance(id, str) else "123"
    pushed(run - 1, **{key: digest(key, "Mug")})
    in_file = isinstance(id, str)
    source = open_rows(written(tmp_path, id) if in_file else [{"external_id": id}])
    chosen = selection(Catalog(), marks=True, header=source.columns)

    assert not [each for each in chosen.select_changes(source) if each]

    assert (chosen.tally.checked, chosen.tally.nameless) == (1, 0)
    with transaction() as connection:
        assert PushedRecords("default", "catalog_items").missing_keys(connection, run) == []


@pytest.mark.parametrize("id", ["NULL", "\\N", Decimal("1.5"), True])
def test_an_id_that_is_none_does_not_say_which_record_a_row_is_about(selection, tmp_path, id):
    source = open_rows(written(tmp_path, id) if isinstance(id, str) else [{"external_id": id}])
    chosen = selection(Catalog(), marks=True, header=source.columns)

    assert not [each for each in chosen.select_changes(source) if each]

    assert (chosen.tally.checked, chosen.tally.nameless) == (1, 1)


def test_missing_records_are_deleted_by_their_ids_and_those_that_are_gone_are_forgotten(selection, run):
    pushed(run - 1, A=digest("A", "Mug"), B=digest("B", "Mug"))
    chosen = selection(Catalog(A="Mug"), marks=True)

    parts = [each for each in chosen.select_missing() if each]

    assert [(each.action, [row.key for row in each.rows]) for each in parts] == [("bulk_delete_catalog_items", ["A"])]
    assert b'"id":"$custom:::$default:::A"' in parts[0].part.body
    with transaction() as connection:
        assert set(PushedRecords("default", "catalog_items").digests(connection, ["A", "B"])) == {"A"}
