"""What a GET returns can be given to the create and to the update of the same thing: read here, written back here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.tasks import definition_samples
from tests.tasks.action_samples import DEFINITION, declaration
from tests.tasks.in_sandbox import InSandbox
from worker.errors import InputError


@pytest.fixture(scope="module")
def klaviyo() -> Iterator[InSandbox]:
    made = InSandbox()
    yield made
    made.close()


@dataclass(frozen=True)
class Kind:
    """How things of a kind are made, read and changed; ``another`` is what a second one may not have in common."""

    create: str
    given: dict[str, Any]
    get: str
    update: str = ""
    another: dict[str, Any] = field(default_factory=dict)
    asking: dict[str, Any] = field(default_factory=dict)


CONTENT = {
    "content_type": "block",
    "type": "text",
    "data": {"content": "<p>Hello</p>", "display_options": {"show_on": "all"}, "styles": {}},
}
FORM = {"versions": [definition_samples.FORM_VERSION]}
ITEM = {"external_id": "I1", "title": "Lamp", "description": "A lamp.", "url": "https://example.com/lamp"}
VARIANT = {**ITEM, "external_id": "V1", "sku": "L-1", "inventory_quantity": 3, "price": 9.5}
PROFILE = {
    "email": "ada@example.com",
    "location": {"city": "London", "latitude": 51, "longitude": "0.1"},
    "properties": {"plan": "gold", "tags": ["a"], "size": None},
}
SCHEMA = {"title": "Pet", "properties": [{"id": 1, "name": "name", "type": "string"}]}
SOURCE = {"source_id": "S1", "id_path": "$.id", "data_path": "$.name"}
WEBHOOK = {"name": "Hook", "endpoint_url": "https://example.com/hook", "secret_key": "x" * 20}
FEED = {"name": "news", "url": "https://example.com/feed", "request_method": "get", "content_type": "json"}

KINDS = {
    "flow": Kind(
        "create_flow", {"name": "A", "definition": definition_samples.FLOW}, "get_flow", "update_flow",
        asking={"additional_fields_flow": ["definition"]},
    ),
    "segment": Kind("create_segment", {"name": "A", "definition": DEFINITION}, "get_segment", "update_segment"),
    "form": Kind(
        "create_form", {"name": "A", "definition": FORM, "status": "draft", "ab_test": False}, "get_form",
        asking={"fields_form": ["definition", "name", "status", "ab_test"]},
    ),
    "template": Kind(
        "create_template", {"name": "A", "editor_type": "CODE", "html": "<p>Hello</p>"}, "get_template",
        "update_template",
    ),
    "drag-and-drop template": Kind(
        "create_template",
        {"name": "A", "editor_type": "USER_DRAGGABLE", "definition": definition_samples.TEMPLATE},
        "get_template", "update_template", asking={"additional_fields_template": ["definition"]},
    ),
    "universal content": Kind(
        "create_universal_content", {"name": "A", "definition": CONTENT}, "get_universal_content",
        "update_universal_content",
    ),
    "profile": Kind(
        "create_profile", PROFILE, "get_profile", "update_profile", another={"email": "bob@example.com"},
    ),
    "profile, by upsert": Kind(
        "create_or_update_profile", {**PROFILE, "email": "carol@example.com"}, "get_profile",
        another={"email": "dan@example.com"},
    ),
    "catalog item": Kind(
        "create_catalog_item", ITEM, "get_catalog_item", "update_catalog_item", another={"external_id": "I2"},
    ),
    "catalog variant": Kind(
        "create_catalog_variant", VARIANT, "get_catalog_variant", "update_catalog_variant",
        another={"external_id": "V2"},
    ),
    "catalog category": Kind(
        "create_catalog_category", {"external_id": "C1", "name": "Lamps"}, "get_catalog_category",
        "update_catalog_category", another={"external_id": "C2"},
    ),
    "coupon": Kind(
        "create_coupon", {"external_id": "10OFF"}, "get_coupon", "update_coupon", another={"external_id": "20OFF"},
    ),
    "coupon code": Kind(
        "create_coupon_code", {"unique_code": "ABC", "coupon_id": "CODES"}, "get_coupon_code", "update_coupon_code",
        another={"unique_code": "DEF"},
    ),
    "list": Kind("create_list", {"name": "A"}, "get_list", "update_list"),
    "tag": Kind("create_tag", {"name": "A"}, "get_tag", "update_tag", another={"name": "B"}),
    "tag group": Kind("create_tag_group", {"name": "A"}, "get_tag_group", "update_tag_group", another={"name": "B"}),
    "webhook": Kind("create_webhook", WEBHOOK, "get_webhook", "update_webhook"),
    "web feed": Kind("create_web_feed", FEED, "get_web_feed", "update_web_feed", another={"name": "more"}),
    "custom metric": Kind(
        "create_custom_metric", {"name": "A"}, "get_custom_metric", "update_custom_metric",
        another={"name": "B"},
    ),
    "data source": Kind("create_data_source", {"title": "A"}, "get_data_source", another={"title": "B"}),
    "object type": Kind("create_object_type", {"title": "A"}, "get_object_type", another={"title": "B"}),
    "object schema": Kind("create_object_schema", SCHEMA, "get_object_schema", "update_object_schema"),
}  # fmt: skip


@pytest.fixture(scope="module")
def belonging(klaviyo: InSandbox) -> dict[str, dict[str, Any]]:
    """What things of some kinds belong to."""
    klaviyo("create_coupon", external_id="CODES")
    groups = [{"metric_id": klaviyo("get_metrics")[0]["id"], "metric_filters": None}]
    return {
        "webhook": {"webhook_topic_ids": [klaviyo("get_webhook_topics")[0]["id"]]},
        "catalog variant": {"item_id": klaviyo("create_catalog_item", **{**ITEM, "external_id": "I0"})["id"]},
        "custom metric": {"definition": {"aggregation_method": "count", "metric_groups": groups}},
        "object schema": {"object_type_id": klaviyo("create_object_type", title="Pet")["id"]},
    }


def taken(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """Those attributes of a thing that an action takes, as they were read."""
    places = {each.path: each.name for each in declaration(name).parameters.values() if each.location == "body"}
    return {
        parameter: attributes[path[-1]]
        for path, parameter in places.items()
        if path[:2] == ("data", "attributes") and len(path) == 3 and path[-1] in attributes
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_is_taken_by_create_and_update(
    kind: str, klaviyo: InSandbox, belonging: dict[str, dict[str, Any]]
):
    how = KINDS[kind]
    given = {**how.given, **belonging.get(kind, {})}
    made = klaviyo(how.create, **given)
    read = klaviyo(how.get, id=made["id"], **how.asking)["attributes"]

    again = klaviyo(how.create, **{**given, **taken(how.create, read), **how.another})

    assert again["id"] != made["id"]
    if how.update:
        klaviyo(how.update, id=made["id"], **taken(how.update, read))
        after = klaviyo(how.get, id=made["id"], **how.asking)["attributes"]
        assert taken(how.update, after) == taken(how.update, read)


def test_a_copy_of_a_flow_has_actions_of_its_own(klaviyo: InSandbox):
    ask = {"additional_fields_flow": ["definition"]}
    made = klaviyo("create_flow", name="A", definition=definition_samples.FLOW)
    definition = klaviyo("get_flow", id=made["id"], **ask)["attributes"]["definition"]

    copy = klaviyo("create_flow", name="B", definition=definition, **ask)["attributes"]["definition"]

    assert [each["type"] for each in copy["actions"]] == [each["type"] for each in definition["actions"]]
    ids = [each["id"] for each in copy["actions"]]
    assert not set(ids) & {each["id"] for each in definition["actions"]}
    assert copy["entry_action_id"] == ids[0]
    led_to = [id for each in copy["actions"] for id in (each.get("links") or {}).values() if isinstance(id, str)]
    assert led_to
    assert set(led_to) <= set(ids)


def test_each_action_of_a_flow_is_taken_back(klaviyo: InSandbox):
    made = klaviyo("create_flow", name="A", definition=definition_samples.FLOW)

    for each in klaviyo("get_actions_for_flow", id=made["id"]):
        definition = klaviyo("get_flow_action", id=each["id"])["attributes"]["definition"]

        assert klaviyo("update_flow_action", id=each["id"], definition=definition)["id"] == each["id"]


MESSAGES: dict[str, dict[str, Any]] = {
    "email": {
        "channel": "email",
        "label": "First",
        "content": {"subject": "Hello", "from_email": "ada@example.com", "from_label": "Ada"},
    },
    "sms": {"channel": "sms", "content": {"body": "Hello"}, "render_options": {"shorten_links": True}},
    "mobile_push": {
        "channel": "mobile_push",
        "notification_type": "standard",
        "content": {"title": "Hello", "body": "There"},
        "options": {"on_open": {"type": "open_app"}, "badge": None, "play_sound": True},
    },
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "static": {"method": "static", "datetime": "2030-01-02T03:04:05+00:00", "options": {"is_local": False}},
    "throttled": {"method": "throttled", "datetime": "2030-01-02T03:04:05+00:00", "throttle_percentage": 20},
    "immediate": {"method": "immediate"},
    "smart_send_time": {"method": "smart_send_time", "date": "2030-01-02"},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("channel", MESSAGES)
def test_a_campaign_and_its_message_are_taken_back(channel: str, strategy: str, klaviyo: InSandbox):
    made = klaviyo(
        "create_campaign",
        name="A",
        audiences={"included": [klaviyo("create_list", name="Everybody")["id"]]},
        send_strategy=STRATEGIES[strategy],
        campaign_messages=[{"definition": MESSAGES[channel]}],
    )
    read = klaviyo("get_campaign", id=made["id"])["attributes"]
    (message,) = klaviyo("get_messages_for_campaign", id=made["id"])

    klaviyo("update_campaign", id=made["id"], **taken("update_campaign", read))
    klaviyo("update_campaign_message", id=message["id"], definition=message["attributes"]["definition"])
    again = klaviyo(
        "create_campaign",
        **taken("create_campaign", read),
        campaign_messages=[{"definition": message["attributes"]["definition"]}],
    )

    assert again["id"] != made["id"]


@pytest.mark.parametrize("media", [None, "https://example.com/dot.gif"])
def test_the_address_of_a_picture_which_only_a_get_has_is_no_hindrance(media: str | None):
    read = {"channel": "sms", "content": {"body": "Hello", "media_url": media}}
    written = {"channel": "sms", "content": {"body": "Hello"}}

    bound = declaration("update_campaign_message").bind({"id": "M1", "definition": read})
    assert bound["definition"] == written
    new = {"name": "A", "audiences": {"included": ["L1"]}, "campaign_messages": [{"definition": read}]}
    if media:  # a new message would be without it
        with pytest.raises(InputError, match="media_url"):
            declaration("create_campaign").bind(new)
    else:
        assert declaration("create_campaign").bind(new)["campaign_messages"] == [{"definition": written}]


def test_tracking_settings_are_taken_back(klaviyo: InSandbox):
    (read,) = klaviyo("get_tracking_settings")

    klaviyo("update_tracking_setting", id=read["id"], **taken("update_tracking_setting", read["attributes"]))
    klaviyo("update_tracking_setting", id=read["id"], utm_source={"flow": None})


def test_a_review_and_an_image_are_taken_back(klaviyo: InSandbox):
    review = klaviyo("get_reviews")[0]
    image = klaviyo("upload_image_from_url", import_from_url="https://example.com/dot.gif", name="dot")

    klaviyo("update_review", id=review["id"], **taken("update_review", review["attributes"]))
    klaviyo("update_image", id=image["id"], **taken("update_image", image["attributes"]))


def test_a_source_mapping_is_taken_back(klaviyo: InSandbox):
    kind = klaviyo("create_object_type", title="Pet")
    schema = klaviyo(
        "create_object_schema",
        title="Pet",
        properties=[{"id": 1, "name": "name", "type": "string"}],
        source_mapping={
            "property_mappings": [{"id": 1, "type": "simple", "source": SOURCE}],
            "relationship_mappings": None,
        },
        object_type_id=kind["id"],
    )
    mapping = klaviyo("get_source_mapping_for_object_schema", id=schema["id"])

    klaviyo("update_source_mapping", id=mapping["id"], **taken("update_source_mapping", mapping["attributes"]))


def test_people_as_a_list_gives_them_are_taken_by_an_import(klaviyo: InSandbox):
    klaviyo("create_profile", **{**PROFILE, "email": "erin@example.com"})
    people = klaviyo("get_profiles")
    known = ["email", "phone_number", "external_id", "first_name", "location", "properties"]
    assert people

    klaviyo("bulk_import_profiles", profiles=[{key: each["attributes"][key] for key in known} for each in people])
