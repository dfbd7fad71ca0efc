"""Klaviyo's own SDK against the sandbox: its strict models read what the sandbox answers, section by section."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import NotFoundException

JOB_SECONDS = 0.05
PREFIX = "$custom:::$default:::"
EMAILS = 'equals(messages.channel,"email")'
EXTRA = ["subscriptions", "predictive_analytics"]
PNG = b"\x89PNG" * 10


@pytest.fixture(scope="module")
def sdk() -> Iterator[KlaviyoAPI]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--latency", "0", "--job-seconds", str(JOB_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            base = running.stdout.readline().removeprefix("sandbox: ").strip()
            httpx.post(f"{base}/_sandbox/limits", json={"off": True}).raise_for_status()
            api = KlaviyoAPI("pk_sandbox_default", max_retries=1)
            api.api_client.configuration.host = base
            yield api
            api.api_client.rest_client.pool_manager.clear()
        finally:
            running.terminate()


def one(type: str, id: str | None = None, links: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A document of one resource."""
    given = {"id": id, "attributes": attributes, "relationships": links}
    return {"data": {"type": type} | {name: value for name, value in given.items() if value}}


def many(type: str, *ids: str) -> dict[str, Any]:
    """A document of resource identifiers."""
    return {"data": [{"type": type, "id": id} for id in ids]}


def job(type: str, name: str, *rows: dict[str, Any], links: dict[str, Any] | None = None) -> dict[str, Any]:
    """The document that starts a bulk job over the data of these documents."""
    return one(type, links=links, **{name: {"data": [row["data"] for row in rows]}})


def ids(answer: Any) -> list[str]:
    return [row.id for row in answer.data]


def next_cursor(answer: Any) -> str:
    """The SDK itself finds a cursor only in an address that begins with https://."""
    return parse_qs(urlsplit(answer.links.next).query)["page[cursor]"][0]


def ended(read: Callable[..., Any], id: str, **options: Any) -> Any:
    """A job, once it is complete."""
    for _ in range(100):
        answer = read(id, **options)
        if answer.data.attributes.status == "complete":
            return answer
        time.sleep(JOB_SECONDS)
    raise AssertionError(f"{answer.data} does not end")


def new_profile(sdk: KlaviyoAPI, name: str) -> str:
    return str(sdk.Profiles.create_profile(one("profile", email=f"{name}@example.com")).data.id)


def new_list(sdk: KlaviyoAPI, name: str = "VIP") -> str:
    return str(sdk.Lists.create_list(one("list", name=name)).data.id)


def new_image(sdk: KlaviyoAPI) -> Any:
    return sdk.Images.upload_image_from_url(one("image", import_from_url="https://shop.example/mug.png", name="Mug"))


def test_the_account_is_read(sdk: KlaviyoAPI) -> None:
    account = sdk.Accounts.get_accounts().data[0]
    assert sdk.Accounts.get_account(account.id).data.attributes.timezone == account.attributes.timezone


def test_a_campaign_is_created_given_content_estimated_sent_and_deleted(sdk: KlaviyoAPI) -> None:
    campaigns = sdk.Campaigns
    content = {"subject": "Hello", "preview_text": "You", "from_email": "a@shop.example", "from_label": "Shop"}
    definition = {"channel": "email", "label": "First", "content": content}
    created = campaigns.create_campaign(
        one(
            "campaign",
            name="Spring",
            audiences={"included": [new_list(sdk)], "excluded": []},
            send_strategy={
                "method": "static",
                "datetime": "2030-01-01T00:00:00Z",
                "options": {"is_local": False},
            },
            **{"campaign-messages": {"data": [one("campaign-message", definition=definition)["data"]]}},
        )
    ).data
    id = created.id
    assert created.attributes.send_strategy["method"] == "static"
    assert campaigns.get_campaign(id, include=["campaign-messages", "tags"]).included
    assert id in ids(campaigns.get_campaigns(EMAILS, include=["campaign-messages", "tags"], page_size=10))
    campaigns.update_campaign(id, one("campaign", id, name="Summer"))
    [message] = ids(campaigns.get_messages_for_campaign(id, include=["campaign", "image", "template"]))
    assert ids(campaigns.get_message_ids_for_campaign(id)) == [message]
    changed = {"channel": "email", "label": "First", "content": {"subject": "New"}}
    campaigns.update_campaign_message(message, one("campaign-message", message, definition=changed))

    template = {"template": one("template", sdk.Templates.get_templates().data[0].id)}
    campaigns.assign_template_to_campaign_message(one("campaign-message", message, template))
    assert campaigns.get_template_for_campaign_message(message).data.attributes.html
    image = new_image(sdk).data.id
    campaigns.update_image_for_campaign_message(message, one("image", image))
    assert campaigns.get_image_for_campaign_message(message).data.id == image
    assert campaigns.get_image_id_for_campaign_message(message).data.id == image
    shown = campaigns.get_campaign_message(message, include=["campaign", "image", "template"])
    assert shown.data.attributes.definition["content"]["subject"] == "New"
    assert len(shown.included) == 3
    assert campaigns.get_campaign_for_campaign_message(message).data.attributes.name == "Summer"
    assert campaigns.get_campaign_id_for_campaign_message(message).data.id == id
    assert not campaigns.get_tags_for_campaign(id).data

    campaigns.refresh_campaign_recipient_estimation(one("campaign-recipient-estimation-job", id))
    ended(campaigns.get_campaign_recipient_estimation_job, id)
    assert campaigns.get_campaign_recipient_estimation(id).data.attributes.estimated_recipient_count == 0
    campaigns.send_campaign(one("campaign-send-job", id))
    assert campaigns.get_campaign_send_job(id).data.id == id
    campaigns.cancel_campaign_send(id, one("campaign-send-job", id, action="revert"))
    copy = campaigns.create_campaign_clone(one("campaign", id, new_name="Again")).data.id
    for gone in (id, copy):
        campaigns.delete_campaign(gone)
    with pytest.raises(NotFoundException):
        campaigns.get_campaign(id)


def test_items_variants_and_categories_are_kept_alone_and_in_bulk(sdk: KlaviyoAPI) -> None:
    catalogs = sdk.Catalogs
    said: dict[str, Any] = {"title": "Mug", "description": "Blue", "url": "https://shop.example/mug", "price": 9.5}
    said |= {"custom_metadata": {"size": "M"}, "images": ["https://shop.example/mug.png"]}

    def things(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        of_item = {"item": one("catalog-item", f"{PREFIX}A")}
        return (
            one("catalog-item", external_id=name, **said),
            one("catalog-variant", links=of_item, external_id=f"{name}-S", sku="S", inventory_quantity=3, **said),
            one("catalog-category", external_id=name, name="Kitchen"),
        )

    new_item, new_variant, new_category = things("A")
    item = catalogs.create_catalog_item(new_item).data.id
    variant = catalogs.create_catalog_variant(new_variant).data.id
    category = catalogs.create_catalog_category(new_category).data.id
    assert catalogs.update_catalog_item(item, one("catalog-item", item, title="Cup")).data.attributes.price == 9.5
    assert catalogs.update_catalog_variant(variant, one("catalog-variant", variant, price=7)).data.attributes.price == 7
    catalogs.update_catalog_category(category, one("catalog-category", category, name="Home"))

    catalogs.add_categories_to_catalog_item(item, many("catalog-category", category))
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
    catalogs.update_categories_for_catalog_item(item, many("catalog-category"))
    catalogs.add_items_to_catalog_category(category, many("catalog-item", item))
    catalogs.remove_items_from_catalog_category(category, many("catalog-item", item))
    assert ids(catalogs.get_items_for_catalog_category(category)) == []
    waiting = {"channels": ["EMAIL"], "profile": one("profile", email="waiting@example.com")}
    of_variant = {"variant": one("catalog-variant", variant)}
    catalogs.create_back_in_stock_subscription(one("back-in-stock-subscription", links=of_variant, **waiting))

    plurals = (("items", "catalog_items"), ("variants", "variants"), ("categories", "categories"))
    for new, (plural, read_as) in zip(things("B"), plurals, strict=True):
        type = new["data"]["type"]
        id = PREFIX + new["data"]["attributes"]["external_id"]
        change = one(type, id, **({"name": "Garden"} if plural == "categories" else {"title": "Cup"}))
        for act, row in (("create", new), ("update", change), ("delete", one(type, id))):
            start = getattr(catalogs, f"bulk_{act}_catalog_{plural}")
            started = start(job(f"{type}-bulk-{act}-job", plural, row)).data.id
            options = {} if act == "delete" else {"include": [plural]}
            done = ended(getattr(catalogs, f"get_bulk_{act}_{read_as}_job"), started, **options)
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
        return one("coupon-code", links={"coupon": one("coupon", "TEN")}, unique_code=unique_code)

    assert coupons.create_coupon(one("coupon", external_id="TEN", description="10 % off")).data.id == "TEN"
    assert coupons.update_coupon("TEN", one("coupon", "TEN", description="A tenth")).data.id == "TEN"
    assert coupons.get_coupon("TEN").data.attributes.description == "A tenth"
    assert ids(coupons.get_coupons()) == ["TEN"]
    first = coupons.create_coupon_code(code("A1")).data.id
    coupons.update_coupon_code(first, one("coupon-code", first, status="USED"))
    assert coupons.get_coupon_code(first, include=["coupon"]).data.attributes.status == "USED"
    assert coupons.get_coupon_for_coupon_code(first).data.id == "TEN"
    assert coupons.get_coupon_id_for_coupon_code(first).data.id == "TEN"
    started = coupons.bulk_create_coupon_codes(job("coupon-code-bulk-create-job", "coupon-codes", code("B1")))
    done = ended(coupons.get_bulk_create_coupon_codes_job, started.data.id, include=["coupon-codes"])
    assert done.included[0].attributes.unique_code == "B1"
    assert ids(coupons.get_bulk_create_coupon_code_jobs()) == [started.data.id]
    everything = ids(coupons.get_coupon_codes(filter='equals(coupon.id,"TEN")', include=["coupon"]))
    assert everything == [first, "B1-TEN"]
    assert ids(coupons.get_coupon_codes_for_coupon("TEN")) == everything
    assert ids(coupons.get_coupon_code_ids_for_coupon("TEN")) == everything
    coupons.delete_coupon_code("B1-TEN")
    coupons.delete_coupon("TEN")
    assert ids(coupons.get_coupons()) == []


def test_a_profile_is_deleted_for_its_privacy(sdk: KlaviyoAPI) -> None:
    id = new_profile(sdk, "private")
    named = {"profile": one("profile", email="private@example.com")}
    sdk.Data_Privacy.request_profile_deletion(one("data-privacy-deletion-job", **named))
    with pytest.raises(NotFoundException):
        sdk.Profiles.get_profile(id)


def test_events_are_sent_alone_and_in_bulk_and_read_with_metric_and_profile(sdk: KlaviyoAPI) -> None:
    events = sdk.Events
    profile = new_profile(sdk, "buyer")
    who, metric = one("profile", email="buyer@example.com"), one("metric", name="Placed Order")
    sent = {"properties": {"sku": "A"}, "value": 9.5, "unique_id": "1", "metric": metric, "profile": who}
    events.create_event(one("event", **sent))
    more = [one("event", properties={"sku": "B"}, unique_id=unique, metric=metric)["data"] for unique in ("2", "3")]
    entry = one("event-bulk-create", profile=who, events={"data": more})
    events.bulk_create_events(job("event-bulk-create-job", "events-bulk-create", entry))
    mine = f'equals(profile_id,"{profile}")'
    first = events.get_events(filter=mine, include=["profile", "metric"], sort="datetime", page_size=2)
    assert [len(first.data), len(first.included)] == [2, 2]
    assert len(events.get_events(filter=mine, sort="datetime", page_cursor=next_cursor(first)).data) == 1
    event = next(row for row in first.data if row.attributes.event_properties.get("sku") == "A")
    assert events.get_event(event.id, include=["profile", "metric"]).data.attributes.uuid == event.attributes.uuid
    assert events.get_profile_for_event(event.id, additional_fields_profile=EXTRA).data.id == profile
    assert events.get_profile_id_for_event(event.id).data.id == profile
    assert events.get_metric_for_event(event.id).data.attributes.name == "Placed Order"
    assert events.get_metric_id_for_event(event.id).data.type == "metric"


def test_a_flow_is_created_and_read_down_to_its_messages(sdk: KlaviyoAPI) -> None:
    flows = sdk.Flows
    trigger, template = new_list(sdk, "Newcomers"), sdk.Templates.get_templates().data[0].id
    email = {"from_email": "a@shop.example", "from_label": "Shop", "subject_line": "Hello", "name": "One"}
    message = email | {"preview_text": "", "template_id": template}
    wait = {"unit": "days", "value": 1, "secondary_value": 0, "timezone": "profile"}
    actions = [
        {"temporary_id": "1", "type": "time-delay", "links": {"next": "2"}, "data": wait},
        {"temporary_id": "2", "type": "send-email", "links": {"next": None}, "data": {"message": message}},
    ]
    definition = {"triggers": [{"type": "list", "id": trigger}], "entry_action_id": "1", "actions": actions}
    flow = flows.create_flow(one("flow", name="Welcome", definition=definition)).data.id
    assert ids(sdk.Lists.get_flows_triggered_by_list(trigger)) == [flow]
    assert ids(sdk.Lists.get_ids_for_flows_triggered_by_list(trigger)) == [flow]
    flows.update_flow(flow, one("flow", flow, status="manual"))
    shown = flows.get_flow(flow, additional_fields_flow=["definition"], include=["flow-actions", "tags"])
    assert (shown.data.attributes.status, len(shown.included)) == ("manual", 2)
    assert len(shown.data.attributes.definition.actions) == 2
    first = flows.get_flows(include=["flow-actions", "tags"], page_size=2)
    assert flow in ids(flows.get_flows(page_cursor=next_cursor(first)))
    for every in flows.get_flows().data:
        for action in ids(flows.get_actions_for_flow(every.id)):
            assert flows.get_flow_action(action, include=["flow", "flow-messages"]).included[0]["id"] == every.id

    delay, send = flows.get_actions_for_flow(flow).data
    assert ids(flows.get_action_ids_for_flow(flow)) == [delay.id, send.id]
    assert flows.get_flow_for_flow_action(send.id).data.id == flow
    assert flows.get_flow_id_for_flow_action(send.id).data.id == flow
    written = send.to_dict()["attributes"]["definition"]
    flows.update_flow_action(send.id, one("flow-action", send.id, definition=written))
    [text] = ids(flows.get_flow_action_messages(send.id))
    assert ids(flows.get_message_ids_for_flow_action(send.id)) == [text]
    assert flows.get_flow_message(text, include=["flow-action", "template"]).data.attributes.channel == "email"
    assert flows.get_action_for_flow_message(text).data.id == send.id
    assert flows.get_action_id_for_flow_message(text).data.id == send.id
    assert flows.get_template_for_flow_message(text).data.id == flows.get_template_id_for_flow_message(text).data.id
    assert not flows.get_tags_for_flow(flow).data
    flows.delete_flow_action(delay.id)
    flows.delete_flow(flow)
    assert ids(sdk.Lists.get_flows_triggered_by_list(trigger)) == []
    with pytest.raises(NotFoundException):
        flows.get_flow(flow)


def test_a_form_is_created_and_read_with_its_versions(sdk: KlaviyoAPI) -> None:
    forms = sdk.Forms
    button = {
        "type": "button",
        "action": {"type": "close", "submit": False, "properties": {}},
        "properties": {"label": "Go"},
    }
    step = {"name": "Start", "columns": [{"rows": [{"blocks": [button]}]}]}
    definition = {"versions": [{"steps": [step], "triggers": [], "teasers": [], "type": "popup"}]}
    created = forms.create_form(one("form", name="New", status="draft", ab_test=False, definition=definition)).data
    assert forms.get_form(created.id).data.attributes.definition.versions[0].steps[0].name == "Start"
    assert created.id in ids(forms.get_forms(filter='equals(status,"draft")'))
    [version] = ids(forms.get_versions_for_form(created.id))
    assert ids(forms.get_version_ids_for_form(created.id)) == [version]
    assert forms.get_form_version(version, include=["form"]).included[0].id == created.id
    assert forms.get_form_for_form_version(version).data.id == created.id
    assert forms.get_form_id_for_form_version(version).data.id == created.id
    forms.delete_form(created.id)
    with pytest.raises(NotFoundException):
        forms.get_form(created.id)


def test_images_are_taken_by_address_and_as_a_file_and_renamed(sdk: KlaviyoAPI, tmp_path: Path) -> None:
    images = sdk.Images
    taken = new_image(sdk).data
    file = tmp_path / "dot.png"
    file.write_bytes(PNG)
    uploaded = images.upload_image_from_file(str(file), name="Dot", hidden=True).data
    assert (uploaded.attributes.name, uploaded.attributes.size) == ("Dot", len(PNG))
    assert ids(images.get_images(filter="equals(hidden,true)")) == [uploaded.id]
    images.update_image(taken.id, one("image", taken.id, name="Cup"))
    assert images.get_image(taken.id).data.attributes.name == "Cup"


def test_a_list_is_filled_read_page_by_page_and_emptied(sdk: KlaviyoAPI) -> None:
    lists = sdk.Lists
    id = new_list(sdk, "Members")
    people = [new_profile(sdk, f"member-{n}") for n in range(3)]
    lists.add_profiles_to_list(id, many("profile", *people))
    lists.update_list(id, one("list", id, name="Regulars"))
    shown = lists.get_list(id, additional_fields_list=["profile_count"], include=["tags", "flow-triggers"]).data
    assert (shown.attributes.name, shown.attributes.profile_count) == ("Regulars", 3)
    assert ids(lists.get_lists(filter='equals(name,"Regulars")', include=["tags"])) == [id]
    first = lists.get_profiles_for_list(id, additional_fields_profile=EXTRA, page_size=2)
    rest = lists.get_profiles_for_list(id, page_size=2, page_cursor=next_cursor(first))
    assert sorted(ids(first) + ids(rest)) == sorted(people)
    assert first.data[0].attributes.joined_group_at
    lists.remove_profiles_from_list(id, many("profile", *people[1:]))
    assert ids(lists.get_profile_ids_for_list(id)) == people[:1]
    assert not lists.get_tags_for_list(id).data
    lists.delete_list(id)
    with pytest.raises(NotFoundException):
        lists.get_list(id)


def test_metrics_are_read_mapped_and_aggregated(sdk: KlaviyoAPI) -> None:
    metrics = sdk.Metrics
    id = metrics.get_metrics(include=["flow-triggers"]).data[0].id
    assert metrics.get_metric(id, include=["flow-triggers"]).data.attributes.name
    for read in (metrics.get_flows_triggered_by_metric, metrics.get_ids_for_flows_triggered_by_metric):
        assert not read(id).data
    for read in (metrics.get_properties_for_metric, metrics.get_property_ids_for_metric):
        assert not read(id).data
    bounds = ["greater-or-equal(datetime,2026-02-01T00:00:00)", "less-than(datetime,2026-02-04T00:00:00)"]
    query = one("metric-aggregate", metric_id=id, measurements=["count"], filter=bounds)
    assert len(metrics.query_metric_aggregates(query).data.attributes.dates) == 3
    definition = {"aggregation_method": "count", "metric_groups": [{"metric_id": id, "metric_filters": []}]}
    custom = metrics.create_custom_metric(one("custom-metric", name="Ours", definition=definition)).data.id
    metrics.update_custom_metric(custom, one("custom-metric", custom, name="Mine"))
    assert metrics.get_custom_metric(custom, include=["metrics"]).data.attributes.name == "Mine"
    assert ids(metrics.get_custom_metrics(include=["metrics"])) == [custom]
    assert len(metrics.get_mapped_metrics(include=["metric", "custom-metric"]).data) == 7
    for links in ({"custom-metric": one("custom-metric", custom)}, {"metric": one("metric", id)}):
        mapped = metrics.update_mapped_metric("revenue", one("mapped-metric", "revenue", links))
        assert set(mapped.data.to_dict()["relationships"]) == {"metric", "custom-metric"}
    assert metrics.get_metric_for_mapped_metric("revenue").data.id == id
    assert metrics.get_metric_id_for_mapped_metric("revenue").data.id == id
    with pytest.raises(NotFoundException):
        metrics.get_custom_metric_for_mapped_metric("revenue")
    metrics.delete_custom_metric(custom)
    with pytest.raises(NotFoundException):
        metrics.get_custom_metric(custom)


def test_a_profile_is_created_changed_found_merged_and_has_a_push_token(sdk: KlaviyoAPI) -> None:
    profiles = sdk.Profiles
    where = {"city": "Bristol", "latitude": "51.45", "longitude": -2.6}
    ada = one("profile", email="ada@example.com", first_name="Ada", location=where, properties={"tier": 1})
    id = profiles.create_profile(ada).data.id
    assert profiles.update_profile(id, one("profile", id, first_name="A.")).data.attributes.properties == {"tier": 1}
    upserted = profiles.create_or_update_profile(one("profile", email="bob@example.com"))
    shown = profiles.get_profile(id, additional_fields_profile=EXTRA, include=["lists", "segments", "push-tokens"])
    assert shown.data.attributes.subscriptions.email.marketing.consent == "NEVER_SUBSCRIBED"
    assert shown.data.attributes.predictive_analytics
    asked = {"additional_fields_profile": EXTRA, "sort": "-created"}
    assert ids(profiles.get_profiles(filter='equals(email,"ada@example.com")', **asked)) == [id]
    assert ids(profiles.get_lists_for_profile(id)) == ids(profiles.get_list_ids_for_profile(id)) == []
    assert ids(profiles.get_segments_for_profile(id)) == ids(profiles.get_segment_ids_for_profile(id)) != []

    device = {"token": "t1", "platform": "ios", "vendor": "apns", "enablement_status": "AUTHORIZED"}
    profiles.create_push_token(one("push-token", profile=one("profile", email="ada@example.com"), **device))
    [token] = ids(profiles.get_push_tokens(include=["profile"]))
    assert profiles.get_push_token(token, include=["profile"]).data.attributes.platform == "ios"
    assert profiles.get_profile_for_push_token(token).data.id == id
    assert profiles.get_profile_id_for_push_token(token).data.id == id
    assert ids(profiles.get_push_tokens_for_profile(id)) == ids(profiles.get_push_token_ids_for_profile(id)) == [token]
    profiles.delete_push_token(token)

    merged = one("profile-merge", id, {"profiles": many("profile", upserted.data.id)})
    assert profiles.merge_profiles(merged).data.id == id
    with pytest.raises(NotFoundException):
        profiles.get_profile(upserted.data.id)


def test_profiles_are_imported_subscribed_and_suppressed_in_bulk(sdk: KlaviyoAPI) -> None:
    profiles, list_id = sdk.Profiles, new_list(sdk, "Imported")
    people = [one("profile", email=email) for email in ("new@example.com", "new@reject.example")]
    sent = job("profile-bulk-import-job", "profiles", *people, links={"lists": many("list", list_id)})
    id = profiles.bulk_import_profiles(sent).data.id
    done = ended(profiles.get_bulk_import_profiles_job, id, include=["lists"]).data.attributes
    assert (done.completed_count, done.failed_count) == (1, 1)
    assert id in ids(profiles.get_bulk_import_profiles_jobs(sort="-created_at"))
    [failure] = profiles.get_errors_for_bulk_import_profiles_job(id).data
    assert failure.attributes.source.pointer.endswith("/email")
    for read in (
        profiles.get_list_for_bulk_import_profiles_job,
        profiles.get_list_ids_for_bulk_import_profiles_job,
    ):
        assert ids(read(id)) == [list_id]
    assert ids(profiles.get_profiles_for_bulk_import_profiles_job(id)) == ids(
        profiles.get_profile_ids_for_bulk_import_profiles_job(id)
    )

    def consent(kind: str, value: str) -> dict[str, Any]:
        email = {"email": {"marketing": {"consent": value}}}
        who = one("profile", email="new@example.com", subscriptions=email)
        return job(f"profile-subscription-bulk-{kind}-job", "profiles", who, links={"list": one("list", list_id)})

    profiles.bulk_subscribe_profiles(consent("create", "SUBSCRIBED"))
    member = sdk.Lists.get_profiles_for_list(list_id, additional_fields_profile=["subscriptions"]).data[0]
    assert member.attributes.subscriptions.email.marketing.consent == "SUBSCRIBED"
    profiles.bulk_unsubscribe_profiles(consent("delete", "UNSUBSCRIBED"))
    profiles.get_profile(member.id, additional_fields_profile=EXTRA)
    for act, kind in (("suppress", "create"), ("unsuppress", "delete")):
        type = f"profile-suppression-bulk-{kind}-job"
        started = getattr(profiles, f"bulk_{act}_profiles")(job(type, "profiles", people[0])).data.id
        assert ended(getattr(profiles, f"get_bulk_{act}_profiles_job"), started).data.attributes.completed_count == 1
        assert ids(getattr(profiles, f"get_bulk_{act}_profiles_jobs")()) == [started]
        profiles.get_profile(member.id, additional_fields_profile=EXTRA)


def test_every_report_is_answered(sdk: KlaviyoAPI) -> None:
    reporting, metric = sdk.Reporting, sdk.Metrics.get_metrics().data[0].id
    kinds: dict[str, dict[str, Any]] = {
        "campaign": {"statistics": ["recipients", "delivery_rate"], "conversion_metric_id": metric},
        "flow": {"statistics": ["recipients", "delivery_rate"], "conversion_metric_id": metric},
        "form": {"statistics": ["viewed_form", "submit_rate"], "group_by": ["form_id", "form_version_id"]},
        "segment": {"statistics": ["total_members", "net_members_changed"]},
    }
    for kind, asked in kinds.items():
        asked["timeframe"] = {"key": "last_30_days"}
        values = getattr(reporting, f"query_{kind}_values")(one(f"{kind}-values-report", **asked))
        rows = values.data.attributes.results
        assert rows
        assert {*rows[0].statistics} == {*asked["statistics"]}
        if kind == "campaign":
            continue
        series = getattr(reporting, f"query_{kind}_series")(one(f"{kind}-series-report", interval="weekly", **asked))
        found = series.data.attributes
        assert {len(found.results[0].statistics[name]) for name in asked["statistics"]} == {len(found.date_times)}
    everyone = sdk.Segments.get_segments(filter='equals(name,"Everyone")').data[0].id
    filtered = kinds["segment"] | {"filter": f'equals(segment_id,"{everyone}")'}
    only = reporting.query_segment_values(one("segment-values-report", **filtered)).data.attributes.results
    assert [row.groupings for row in only] == [{"segment_id": everyone}]


def test_a_segment_is_created_read_and_deleted(sdk: KlaviyoAPI) -> None:
    segments = sdk.Segments
    condition = {"type": "string", "operator": "equals", "value": "gold"}
    gold = {"type": "profile-property", "property": "plan", "filter": condition}
    definition = {"condition_groups": [{"conditions": [gold]}]}
    id = segments.create_segment(one("segment", name="Gold", definition=definition)).data.id
    segments.update_segment(id, one("segment", id, name="Golden"))
    extra = {"additional_fields_segment": ["profile_count"], "include": ["tags", "flow-triggers"]}
    assert segments.get_segment(id, **extra).data.attributes.name == "Golden"
    first = segments.get_segments(include=["tags"], page_size=1)
    assert id in ids(segments.get_segments(page_cursor=next_cursor(first)))
    for read in (
        segments.get_profiles_for_segment,
        segments.get_profile_ids_for_segment,
        segments.get_tags_for_segment,
        segments.get_tag_ids_for_segment,
        segments.get_flows_triggered_by_segment,
        segments.get_ids_for_flows_triggered_by_segment,
    ):
        assert ids(read(id)) == []
    segments.delete_segment(id)
    with pytest.raises(NotFoundException):
        segments.get_segment(id)


def test_a_tag_in_a_group_is_put_on_everything_that_takes_tags(sdk: KlaviyoAPI) -> None:
    tags = sdk.Tags
    group = tags.create_tag_group(one("tag-group", name="Seasons", exclusive=False)).data.id
    tags.update_tag_group(group, one("tag-group", group, name="Times of year"))
    assert tags.get_tag_group(group).data.attributes.name == "Times of year"
    assert group in ids(tags.get_tag_groups(sort="name"))
    tag = tags.create_tag(one("tag", links={"tag-group": one("tag-group", group)}, name="Spring")).data.id
    tags.update_tag(tag, one("tag", tag, name="Summer"))
    assert tags.get_tag(tag, include=["tag-group"]).data.attributes.name == "Summer"
    assert ids(tags.get_tags(filter='equals(name,"Summer")', include=["tag-group"])) == [tag]
    assert tags.get_tag_group_for_tag(tag).data.id == tags.get_tag_group_id_for_tag(tag).data.id == group
    assert ids(tags.get_tags_for_tag_group(group)) == ids(tags.get_tag_ids_for_tag_group(group)) == [tag]
    targets = {
        "campaign": (sdk.Campaigns, sdk.Campaigns.get_campaigns(EMAILS).data[0].id),
        "flow": (sdk.Flows, sdk.Flows.get_flows().data[0].id),
        "list": (sdk.Lists, new_list(sdk, "Tagged")),
        "segment": (sdk.Segments, sdk.Segments.get_segments().data[0].id),
    }
    for kind, (section, id) in targets.items():
        getattr(tags, f"tag_{kind}s")(tag, many(kind, id))
        assert ids(getattr(tags, f"get_{kind}_ids_for_tag")(tag)) == [id]
        assert ids(getattr(section, f"get_tags_for_{kind}")(id)) == [tag]
        assert ids(getattr(section, f"get_tag_ids_for_{kind}")(id)) == [tag]
        getattr(tags, f"remove_tag_from_{kind}s")(tag, many(kind, id))
        assert ids(getattr(tags, f"get_{kind}_ids_for_tag")(tag)) == []
    tags.delete_tag(tag)
    tags.delete_tag_group(group)
    with pytest.raises(NotFoundException):
        tags.get_tag(tag)


def test_a_template_is_created_rendered_cloned_and_deleted(sdk: KlaviyoAPI) -> None:
    templates, extra = sdk.Templates, {"additional_fields_template": ["definition"]}
    new = one("template", name="Mine", editor_type="CODE", html="<p>{{ a }}</p>", text="{{ a }}")
    id = templates.create_template(new, **extra).data.id
    templates.update_template(id, one("template", id, name="Yours"))
    assert templates.get_template(id, **extra).data.attributes.name == "Yours"
    assert ids(templates.get_templates(filter='equals(name,"Yours")', **extra)) == [id]
    assert templates.render_template(one("template", id, context={"a": "x"})).data.attributes.html == "<p>x</p>"
    copy = templates.clone_template(one("template", id, name="Twin")).data.id
    for gone in (id, copy):
        templates.delete_template(gone)
    with pytest.raises(NotFoundException):
        templates.get_template(id)


def test_universal_content_is_created_renamed_and_deleted(sdk: KlaviyoAPI) -> None:
    templates = sdk.Templates
    properties = {"content": "Go", "display_options": {}, "properties": {"href": "https://shop.example"}, "styles": {}}
    definition = {"content_type": "block", "type": "button", "data": properties}
    id = templates.create_universal_content(one("template-universal-content", name="Go", definition=definition)).data.id
    templates.update_universal_content(id, one("template-universal-content", id, name="Stop"))
    assert templates.get_universal_content(id).data.attributes.name == "Stop"
    assert ids(templates.get_all_universal_content()) == [id]
    templates.delete_universal_content(id)
    assert ids(templates.get_all_universal_content()) == []


def test_a_webhook_is_created_changed_and_deleted(sdk: KlaviyoAPI) -> None:
    webhooks = sdk.Webhooks
    topic = webhooks.get_webhook_topics().data[0].id
    assert webhooks.get_webhook_topic(topic).data.id == topic
    about = {"webhook-topics": many("webhook-topic", topic)}
    where = {"endpoint_url": "https://shop.example/hook", "secret_key": "0123456789abcdef"}
    id = webhooks.create_webhook(one("webhook", links=about, name="Mine", **where)).data.id
    webhooks.update_webhook(id, one("webhook", id, name="Yours"))
    assert webhooks.get_webhook(id, include=["webhook-topics"]).data.attributes.name == "Yours"
    assert ids(webhooks.get_webhooks(include=["webhook-topics"])) == [id]
    webhooks.delete_webhook(id)
    assert ids(webhooks.get_webhooks()) == []


def test_reviews_are_read_and_featured(sdk: KlaviyoAPI) -> None:
    review = sdk.Reviews.get_reviews(include=["events"]).data[0]
    changed = sdk.Reviews.update_review(review.id, one("review", review.id, status={"value": "featured"}))
    assert changed.data.attributes.status == {"value": "featured"}
    assert sdk.Reviews.get_review(review.id).data.attributes.rating == review.attributes.rating


def test_a_conversation_takes_a_message_and_profiles_have_none_at_first(sdk: KlaviyoAPI) -> None:
    of_one = {"conversation": one("conversation", "C1")}
    sdk.Conversations.create_conversation_message(one("conversation-message", links=of_one, body="Hello"))
    id = new_profile(sdk, "silent")
    assert not sdk.Profiles.get_conversations_for_profile(id).data
    assert not sdk.Profiles.get_conversation_ids_for_profile(id).data


def test_an_object_type_has_a_draft_of_its_schema_and_data_sources_feed_it(sdk: KlaviyoAPI) -> None:
    objects = sdk.Custom_Objects
    draft = one("object-schema", properties=[{"id": 1, "name": "name", "type": "string"}], required=["name"])
    type = objects.create_object_type(one("object-type", title="Pet", **{"object-schema": draft})).data.id
    assert objects.get_object_type(type, include=["draft-schema"]).included[0]["attributes"]["required"] == ["name"]
    assert ids(objects.get_object_types()) == [type]
    schema = objects.get_draft_schema_for_object_type(type).data.id
    assert objects.get_draft_schema_id_for_object_type(type).data.id == schema
    mapping = objects.get_source_mapping_for_object_schema(schema).data.id
    assert objects.get_source_mapping(mapping).data.id == mapping
    following = {"object-type": one("object-type", type)}
    newer = objects.create_object_schema(one("object-schema", links=following, title="Pet", properties=[])).data.id
    assert objects.get_draft_schema_for_object_type(type).data.id == newer
    assert sorted(ids(objects.get_schema_versions_for_object_type(type))) == sorted([schema, newer])
    for read in (objects.get_records_for_object_type, objects.get_ingestion_logs_for_object_type):
        assert ids(read(type)) == []
    source = objects.create_data_source(one("data-source", title="Shelter", visibility="private")).data.id
    assert objects.get_data_source(source).data.attributes.title == "Shelter"
    assert ids(objects.get_data_sources()) == [source]
    record = {"data-source-record": one("data-source-record", record={"name": "Rex"})}
    of_source = {"data-source": one("data-source", source)}
    objects.create_data_source_record(one("data-source-record-create-job", links=of_source, **record))
    objects.delete_data_source(source)
    objects.delete_object_type(type)
    assert ids(objects.get_object_types()) == []


def test_tracking_settings_are_read_and_changed(sdk: KlaviyoAPI) -> None:
    id = sdk.Tracking_Settings.get_tracking_settings().data[0].id
    assert id == sdk.Accounts.get_accounts().data[0].id
    sdk.Tracking_Settings.update_tracking_setting(id, one("tracking-setting", id, auto_add_parameters=True))
    assert sdk.Tracking_Settings.get_tracking_setting(id).data.attributes.auto_add_parameters


def test_a_web_feed_is_created_changed_and_deleted(sdk: KlaviyoAPI) -> None:
    feeds, said = sdk.Web_Feeds, {"url": "https://feed.example", "request_method": "get", "content_type": "json"}
    id = feeds.create_web_feed(one("web-feed", name="Weather", **said)).data.id
    feeds.update_web_feed(id, one("web-feed", id, name="Rain"))
    assert feeds.get_web_feed(id).data.attributes.name == "Rain"
    assert ids(feeds.get_web_feeds()) == [id]
    feeds.delete_web_feed(id)
    assert ids(feeds.get_web_feeds()) == []
