"""What an update may say of a record that is there, and whether it would change anything."""

from tasks.imports.kinds import KINDS
from tasks.imports.upsert import as_update, differs

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


def test_relationships_are_not_told_with_what_is_there_so_they_are_always_sent():
    update = as_update(MUG | {"relationships": KITCHEN}, KINDS["update_catalog_items"])

    assert differs(update, {"title": "Mug"})
