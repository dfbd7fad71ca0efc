"""What an update may say of a record that is there, and whether it would change anything."""

import orjson

from tasks.imports import upsert
from tasks.imports.kinds import KINDS, catalog_id
from tasks.imports.run import Import, route_parts
from tasks.imports.upsert import as_update, differs
from tasks.jobs.rows import parse_rows

MUG = {"type": "catalog-item", "attributes": {"external_id": "M1", "integration_type": "$custom", "title": "Mug"}}
BLUE = {
    "type": "catalog-variant",
    "attributes": {"external_id": "M1-B", "title": "Blue mug"},
    "relationships": {"item": {"data": {"type": "catalog-item", "id": "$custom:::$default:::M1"}}},
}
KITCHEN = {"categories": {"data": [{"type": "catalog-category", "id": "$custom:::$default:::K"}]}}


def test_an_update_says_what_can_be_changed_and_of_which_record():
    update = as_update(MUG | {"relationships": KITCHEN}, KINDS["update_catalog_items"])

    assert update == {
        "type": "catalog-item",
        "id": "$custom:::$default:::M1",
        "attributes": {"title": "Mug"},
        "relationships": KITCHEN,
    }


def test_a_variant_stays_with_its_item_and_is_left_alone_where_it_is_the_same():
    update = as_update(BLUE, KINDS["update_catalog_variants"])

    assert "relationships" not in update
    assert not differs(update, {"external_id": "M1-B", "title": "Blue mug", "price": 3})
    assert differs(update, {"external_id": "M1-B", "title": "Red mug"})


def test_relationships_are_not_read_with_what_is_there_so_they_are_always_sent():
    update = as_update(MUG | {"relationships": KITCHEN}, KINDS["update_catalog_items"])

    assert differs(update, {"title": "Mug"})


def routed(monkeypatch, rows, there):
    """Return what becomes of these rows if this is there."""
    monkeypatch.setattr(upsert, "read_existing", lambda read, account: there)
    monkeypatch.setattr("tasks.imports.run.account", lambda *_: None)
    wanted = Import("upsert_catalog_items", rows)
    return list(route_parts(wanted, *wanted.open()))


def test_what_is_new_is_created_what_differs_updated_and_the_rest_left_alone(monkeypatch):
    rows = [
        {"external_id": id, "title": "Tea", "description": "Green", "url": "https://example.com"}
        for id in ("NEW", "SAME", "OTHER")
    ]
    there = {catalog_id("SAME"): orjson.dumps(rows[1]), catalog_id("OTHER"): orjson.dumps({**rows[2], "title": "Mug"})}
    found = routed(monkeypatch, rows, there)

    assert [(each.action, each.part and each.part.rows) for each in found] == [
        ("bulk_create_catalog_items", "1"),
        ("bulk_update_catalog_items", "3"),
    ]
    assert sum(each.unchanged for each in found) == 1


def test_no_part_is_larger_than_klaviyo_takes(monkeypatch):
    rows = [
        {"external_id": f"{n}", "title": "Tea", "description": "x" * 60_000, "url": "https://example.com"}
        for n in range(240)
    ]
    there = {catalog_id(row["external_id"]): b"{}" for row in rows[::2]}

    found = routed(monkeypatch, rows, there)

    assert [each.part.number for each in found] == [1, 2, 3, 4]
    assert max(len(each.part.body) for each in found) <= KINDS["create_catalog_items"].max_bytes
    assert sum(len(parse_rows(each.part.rows)) for each in found) == len(rows)
