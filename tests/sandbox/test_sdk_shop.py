"""Klaviyo's own SDK against the sandbox: the account, its catalog, coupons, custom objects, reviews and webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import NotFoundException

from tests.sandbox.sdk import bulk_job, identifiers, ids, resource, wait_until_complete

PREFIX = "$custom:::$default:::"


def test_the_account_is_read(sdk: KlaviyoAPI) -> None:
    account = sdk.Accounts.get_accounts().data[0]
    assert sdk.Accounts.get_account(account.id).data.attributes.timezone == account.attributes.timezone


def test_items_variants_and_categories_are_kept_alone_and_in_bulk(sdk: KlaviyoAPI) -> None:
    catalogs = sdk.Catalogs
    said: dict[str, Any] = {"title": "Mug", "description": "Blue", "url": "https://shop.example/mug", "price": 9.5}
    said |= {"custom_metadata": {"size": "M"}, "images": ["https://shop.example/mug.png"]}

    def things(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        of_item = {"item": resource("catalog-item", f"{PREFIX}A")}
        return (
            resource("catalog-item", external_id=name, **said),
            resource("catalog-variant", links=of_item, external_id=f"{name}-S", sku="S", inventory_quantity=3, **said),
            resource("catalog-category", external_id=name, name="Kitchen"),
        )

    new_item, new_variant, new_category = things("A")
    item = catalogs.create_catalog_item(new_item).data.id
    variant = catalogs.create_catalog_variant(new_variant).data.id
    category = catalogs.create_catalog_category(new_category).data.id
    assert catalogs.update_catalog_item(item, resource("catalog-item", item, title="Cup")).data.attributes.price == 9.5
    assert (
        catalogs.update_catalog_variant(variant, resource("catalog-variant", variant, price=7)).data.attributes.price
        == 7
    )
    catalogs.update_catalog_category(category, resource("catalog-category", category, name="Home"))

    catalogs.add_categories_to_catalog_item(item, identifiers("catalog-category", category))
    assert ids(catalogs.get_catalog_items(filter='contains(title,"cup")', include=["variants"])) == [item]
    assert catalogs.get_catalog_item(item, include=["variants"]).included[0].id == variant
    assert catalogs.get_catalog_variant(variant).data.attributes.sku == "S"
    assert ids(catalogs.get_catalog_variants(sort="-created")) == [variant]
    assert catalogs.get_catalog_category(category).data.attributes.name == "Home"
    assert ids(catalogs.get_catalog_categories()) == [category]
    for read in (catalogs.get_categories_for_catalog_item, catalogs.get_category_ids_for_catalog_item):
        assert ids(read(item)) == [category]
    for read in (catalogs.get_variants_for_catalog_item, catalogs.get_variant_ids_for_catalog_item):
        assert ids(read(item)) == [variant]
    for read in (catalogs.get_items_for_catalog_category, catalogs.get_item_ids_for_catalog_category):
        assert ids(read(category)) == [item]
    catalogs.update_categories_for_catalog_item(item, identifiers("catalog-category"))
    catalogs.add_items_to_catalog_category(category, identifiers("catalog-item", item))
    catalogs.remove_items_from_catalog_category(category, identifiers("catalog-item", item))
    assert ids(catalogs.get_items_for_catalog_category(category)) == []
    waiting = {"channels": ["EMAIL"], "profile": resource("profile", email="waiting@example.com")}
    of_variant = {"variant": resource("catalog-variant", variant)}
    catalogs.create_back_in_stock_subscription(resource("back-in-stock-subscription", links=of_variant, **waiting))

    plurals = (("items", "catalog_items"), ("variants", "variants"), ("categories", "categories"))
    for new, (plural, read_as) in zip(things("B"), plurals, strict=True):
        type = new["data"]["type"]
        id = PREFIX + new["data"]["attributes"]["external_id"]
        change = resource(type, id, **({"name": "Garden"} if plural == "categories" else {"title": "Cup"}))
        for act, row in (("create", new), ("update", change), ("delete", resource(type, id))):
            start = getattr(catalogs, f"bulk_{act}_catalog_{plural}")
            started = start(bulk_job(f"{type}-bulk-{act}-job", plural, row)).data.id
            options = {} if act == "delete" else {"include": [plural]}
            done = wait_until_complete(getattr(catalogs, f"get_bulk_{act}_{read_as}_job"), started, **options)
            assert (done.data.attributes.completed_count, done.data.attributes.failed_count) == (1, 0)
            assert started in ids(getattr(catalogs, f"get_bulk_{act}_{read_as}_jobs")())
    catalogs.delete_catalog_variant(variant)
    catalogs.delete_catalog_item(item)
    catalogs.delete_catalog_category(category)
    with pytest.raises(NotFoundException):
        catalogs.get_catalog_item(item)


def test_coupons_have_codes_alone_and_in_bulk(sdk: KlaviyoAPI) -> None:
    coupons = sdk.Coupons

    def code(unique_code: str) -> dict[str, Any]:
        return resource("coupon-code", links={"coupon": resource("coupon", "TEN")}, unique_code=unique_code)

    assert coupons.create_coupon(resource("coupon", external_id="TEN", description="10 % off")).data.id == "TEN"
    assert coupons.update_coupon("TEN", resource("coupon", "TEN", description="A tenth")).data.id == "TEN"
    assert coupons.get_coupon("TEN").data.attributes.description == "A tenth"
    assert ids(coupons.get_coupons()) == ["TEN"]
    first = coupons.create_coupon_code(code("A1")).data.id
    coupons.update_coupon_code(first, resource("coupon-code", first, status="USED"))
    assert coupons.get_coupon_code(first, include=["coupon"]).data.attributes.status == "USED"
    assert coupons.get_coupon_for_coupon_code(first).data.id == "TEN"
    assert coupons.get_coupon_id_for_coupon_code(first).data.id == "TEN"
    started = coupons.bulk_create_coupon_codes(bulk_job("coupon-code-bulk-create-job", "coupon-codes", code("B1")))
    done = wait_until_complete(coupons.get_bulk_create_coupon_codes_job, started.data.id, include=["coupon-codes"])
    assert done.included[0].attributes.unique_code == "B1"
    assert ids(coupons.get_bulk_create_coupon_code_jobs()) == [started.data.id]
    everything = ids(coupons.get_coupon_codes(filter='equals(coupon.id,"TEN")', include=["coupon"]))
    assert everything == [first, "B1-TEN"]
    assert ids(coupons.get_coupon_codes_for_coupon("TEN")) == everything
    assert ids(coupons.get_coupon_code_ids_for_coupon("TEN")) == everything
    coupons.delete_coupon_code("B1-TEN")
    coupons.delete_coupon("TEN")
    assert ids(coupons.get_coupons()) == []


def test_a_webhook_is_created_changed_and_deleted(sdk: KlaviyoAPI) -> None:
    webhooks = sdk.Webhooks
    topic = webhooks.get_webhook_topics().data[0].id
    assert webhooks.get_webhook_topic(topic).data.id == topic
    about = {"webhook-topics": identifiers("webhook-topic", topic)}
    where = {"endpoint_url": "https://shop.example/hook", "secret_key": "0123456789abcdef"}
    id = webhooks.create_webhook(resource("webhook", links=about, name="Mine", **where)).data.id
    webhooks.update_webhook(id, resource("webhook", id, name="Yours"))
    assert webhooks.get_webhook(id, include=["webhook-topics"]).data.attributes.name == "Yours"
    assert ids(webhooks.get_webhooks(include=["webhook-topics"])) == [id]
    webhooks.delete_webhook(id)
    assert ids(webhooks.get_webhooks()) == []


def test_reviews_are_read_and_featured(sdk: KlaviyoAPI) -> None:
    review = sdk.Reviews.get_reviews(include=["events"]).data[0]
    changed = sdk.Reviews.update_review(review.id, resource("review", review.id, status={"value": "featured"}))
    assert changed.data.attributes.status == {"value": "featured"}
    assert sdk.Reviews.get_review(review.id).data.attributes.rating == review.attributes.rating


def test_an_object_type_has_a_draft_of_its_schema_and_data_sources_feed_it(sdk: KlaviyoAPI) -> None:
    objects = sdk.Custom_Objects
    draft = resource("object-schema", properties=[{"id": 1, "name": "name", "type": "string"}], required=["name"])
    type = objects.create_object_type(resource("object-type", title="Pet", **{"object-schema": draft})).data.id
    assert objects.get_object_type(type, include=["draft-schema"]).included[0]["attributes"]["required"] == ["name"]
    assert ids(objects.get_object_types()) == [type]
    schema = objects.get_draft_schema_for_object_type(type).data.id
    assert objects.get_draft_schema_id_for_object_type(type).data.id == schema
    mapping = objects.get_source_mapping_for_object_schema(schema).data.id
    assert objects.get_source_mapping(mapping).data.id == mapping
    following = {"object-type": resource("object-type", type)}
    newer = objects.create_object_schema(resource("object-schema", links=following, title="Pet", properties=[])).data.id
    assert objects.get_draft_schema_for_object_type(type).data.id == newer
    assert sorted(ids(objects.get_schema_versions_for_object_type(type))) == sorted([schema, newer])
    for read in (objects.get_records_for_object_type, objects.get_ingestion_logs_for_object_type):
        assert ids(read(type)) == []
    source = objects.create_data_source(resource("data-source", title="Shelter", visibility="private")).data.id
    assert objects.get_data_source(source).data.attributes.title == "Shelter"
    assert ids(objects.get_data_sources()) == [source]
    record = {"data-source-record": resource("data-source-record", record={"name": "Rex"})}
    of_source = {"data-source": resource("data-source", source)}
    objects.create_data_source_record(resource("data-source-record-create-job", links=of_source, **record))
    objects.delete_data_source(source)
    objects.delete_object_type(type)
    assert ids(objects.get_object_types()) == []


def test_tracking_settings_are_read_and_changed(sdk: KlaviyoAPI) -> None:
    id = sdk.Tracking_Settings.get_tracking_settings().data[0].id
    assert id == sdk.Accounts.get_accounts().data[0].id
    sdk.Tracking_Settings.update_tracking_setting(id, resource("tracking-setting", id, auto_add_parameters=True))
    assert sdk.Tracking_Settings.get_tracking_setting(id).data.attributes.auto_add_parameters
