"""Bulk requests: records by plain names or as JSON:API, and what is too much is refused before it is published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.catalog_categories import bulk_create_catalog_categories
from tasks.catalog_items import (
    bulk_create_catalog_items,
    bulk_delete_catalog_items,
    bulk_update_catalog_items,
    remove_categories_from_catalog_item,
)
from tasks.catalog_variants import bulk_create_catalog_variants
from tasks.coupons import bulk_create_coupon_codes
from tasks.custom_objects import (
    bulk_create_data_source_records,
    bulk_delete_object_records,
    create_data_source_record,
    create_object_schema_relationship,
    create_object_type,
    delete_profile_schema_relationship,
    update_object_schema_relationship,
)
from worker.action import Action
from worker.errors import InputError

ITEM = {"external_id": "A1", "title": "Cup", "description": "Blue", "url": "https://example.com/a1"}
VARIANT = {**ITEM, "item_id": "$custom:::$default:::A1", "sku": "A1-S", "inventory_quantity": 3, "price": 9}
CODE = {"unique_code": "AUTUMN", "coupon_id": "10OFF"}
RECORD = {"record": {"id": 1}}


def body(action: Action[Any], **given: Any) -> Any:
    request = action.declaration.request(action.declaration.bind(given))
    assert request.body
    return json.loads(request.body)


@pytest.mark.parametrize(
    ("action", "parameter", "one", "most", "beside"),
    [
        (bulk_create_catalog_items, "items", ITEM, 100, {}),
        (bulk_update_catalog_items, "items", {"id": "I1"}, 100, {}),
        (bulk_delete_catalog_items, "item_ids", "I1", 100, {}),
        (bulk_create_catalog_variants, "variants", VARIANT, 100, {}),
        (bulk_create_catalog_categories, "categories", {"external_id": "C1", "name": "Cups"}, 100, {}),
        (bulk_create_coupon_codes, "coupon_codes", CODE, 1000, {}),
        (bulk_create_data_source_records, "data_source_records", RECORD, 500, {"data_source_id": "S1"}),
        (bulk_delete_object_records, "object_record_ids", "R1", 500, {}),
    ],
)
def test_one_record_too_many_is_refused(
    action: Action[Any], parameter: str, one: Any, most: int, beside: dict[str, Any]
):
    assert action.declaration.bind({parameter: [one] * most, **beside})

    for number in (most + 1, 0):
        with pytest.raises(InputError, match=parameter):
            action.declaration.bind({parameter: [one] * number, **beside})


def test_a_record_without_a_required_value_is_refused_with_its_place():
    with pytest.raises(InputError, match=r"items\.1\.title"):
        bulk_create_catalog_items.declaration.bind({"items": [ITEM, {"external_id": "A2"}]})


def test_plain_records_and_those_of_json_api_are_the_same_request():
    attributes = {**ITEM, "custom_metadata": {"colour": "blue"}}
    raw = {
        "type": "catalog-item",
        "attributes": attributes,
        "relationships": {"categories": {"data": [{"type": "catalog-category", "id": "C1"}]}},
    }

    plain = body(bulk_create_catalog_items, items=[{**attributes, "category_ids": ["C1"]}])

    assert plain == body(bulk_create_catalog_items, data__attributes__items__data=[raw])
    assert plain["data"] == {
        "type": "catalog-item-bulk-create-job",
        "attributes": {"items": {"data": [raw]}},
    }


def test_records_to_delete_are_ids():
    raw = [{"type": "catalog-item", "id": "I1"}]

    sent = body(bulk_delete_catalog_items, item_ids=["I1"])

    assert sent["data"]["attributes"]["items"]["data"] == raw
    assert sent == body(bulk_delete_catalog_items, data__attributes__items__data=raw)


def test_a_delete_of_relationships_has_a_body():
    raw = [{"type": "catalog-category", "id": "C1"}]

    assert body(remove_categories_from_catalog_item, id="I1", category_ids=["C1"]) == {"data": raw}
    assert body(remove_categories_from_catalog_item, id="I1", data=raw) == {"data": raw}


def test_one_record_of_over_512_kb_is_named():
    records = [RECORD, {"record": {"text": "x" * 512_000}}]

    with pytest.raises(InputError, match="items 1 of 'data_source_records'"):
        bulk_create_data_source_records.declaration.bind({"data_source_records": records, "data_source_id": "S1"})
    with pytest.raises(InputError, match="512,000"):
        create_data_source_record.declaration.bind({**records[1], "data_source_id": "S1"})


def test_records_of_over_4_mb_in_all_are_refused():
    records = [{"record": {"text": "x" * 500_000}}] * 9

    with pytest.raises(InputError, match="4,000,000"):
        bulk_create_data_source_records.declaration.bind({"data_source_records": records, "data_source_id": "S1"})


def test_a_record_and_its_source_stand_where_klaviyo_looks_for_them():
    assert body(create_data_source_record, record={"id": 1}, data_source_id="S1") == {
        "data": {
            "type": "data-source-record-create-job",
            "attributes": {
                "data-source-record": {"data": {"type": "data-source-record", "attributes": {"record": {"id": 1}}}}
            },
            "relationships": {"data-source": {"data": {"type": "data-source", "id": "S1"}}},
        }
    }


def test_an_object_type_comes_with_its_schema_and_the_mapping_of_it():
    mapping = {"property_mappings": [{"id": 1, "type": "constant", "value": "x"}]}
    schema = {"properties": [{"id": 1, "name": "Plan", "type": "string"}], "source_mapping": mapping}

    sent = body(create_object_type, title="Ticket", object_schema=schema)

    assert sent["data"]["attributes"]["object-schema"]["data"] == {
        "type": "object-schema",
        "attributes": {
            "properties": schema["properties"],
            "source-mapping": {"data": {"type": "source-mapping", "attributes": mapping}},
        },
    }


def test_what_is_said_of_a_relationship_stands_beside_its_ids():
    new = body(create_object_schema_relationship, id="A", related=[{"id": "B", "name": "owns", "description": "x"}])
    changed = body(update_object_schema_relationship, id="A", related_id="B", relationship_id="R1", name="has")
    ended = body(delete_profile_schema_relationship, id="A", related=[{"id": "B", "relationship_id": "R1"}])

    assert new == {"data": [{"type": "object-schema", "id": "B", "meta": {"name": "owns", "description": "x"}}]}
    assert changed == {"data": {"type": "object-schema", "id": "B", "meta": {"relationship_id": "R1", "name": "has"}}}
    assert ended == {"data": [{"type": "profile-object-schema", "id": "B", "meta": {"relationship_id": "R1"}}]}
