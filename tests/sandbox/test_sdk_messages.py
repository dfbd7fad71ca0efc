"""Klaviyo's own SDK against the sandbox: campaigns, flows, forms, templates, and what they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import NotFoundException

from tests.sandbox.sdk import identifiers, ids, new_image, new_list, next_cursor, resource, wait_until_complete

EMAILS = 'equals(messages.channel,"email")'
PNG = b"\x89PNG" * 10


def test_a_campaign_is_created_given_content_estimated_sent_and_deleted(sdk: KlaviyoAPI) -> None:
    campaigns = sdk.Campaigns
    content = {"subject": "Hello", "preview_text": "You", "from_email": "a@shop.example", "from_label": "Shop"}
    definition = {"channel": "email", "label": "First", "content": content}
    created = campaigns.create_campaign(
        resource(
            "campaign",
            name="Spring",
            audiences={"included": [new_list(sdk)], "excluded": []},
            send_strategy={
                "method": "static",
                "datetime": "2030-01-01T00:00:00Z",
                "options": {"is_local": False},
            },
            **{"campaign-messages": {"data": [resource("campaign-message", definition=definition)["data"]]}},
        )
    ).data
    id = created.id
    assert created.attributes.send_strategy["method"] == "static"
    assert campaigns.get_campaign(id, include=["campaign-messages", "tags"]).included
    assert id in ids(campaigns.get_campaigns(EMAILS, include=["campaign-messages", "tags"], page_size=10))
    campaigns.update_campaign(id, resource("campaign", id, name="Summer"))
    [message] = ids(campaigns.get_messages_for_campaign(id, include=["campaign", "image", "template"]))
    assert ids(campaigns.get_message_ids_for_campaign(id)) == [message]
    changed = {"channel": "email", "label": "First", "content": {"subject": "New"}}
    campaigns.update_campaign_message(message, resource("campaign-message", message, definition=changed))

    template = {"template": resource("template", sdk.Templates.get_templates().data[0].id)}
    campaigns.assign_template_to_campaign_message(resource("campaign-message", message, template))
    assert campaigns.get_template_for_campaign_message(message).data.attributes.html
    image = new_image(sdk).data.id
    campaigns.update_image_for_campaign_message(message, resource("image", image))
    assert campaigns.get_image_for_campaign_message(message).data.id == image
    assert campaigns.get_image_id_for_campaign_message(message).data.id == image
    shown = campaigns.get_campaign_message(message, include=["campaign", "image", "template"])
    assert shown.data.attributes.definition["content"]["subject"] == "New"
    assert len(shown.included) == 3
    assert campaigns.get_campaign_for_campaign_message(message).data.attributes.name == "Summer"
    assert campaigns.get_campaign_id_for_campaign_message(message).data.id == id
    assert not campaigns.get_tags_for_campaign(id).data

    campaigns.refresh_campaign_recipient_estimation(resource("campaign-recipient-estimation-job", id))
    wait_until_complete(campaigns.get_campaign_recipient_estimation_job, id)
    assert campaigns.get_campaign_recipient_estimation(id).data.attributes.estimated_recipient_count == 0
    campaigns.send_campaign(resource("campaign-send-job", id))
    assert campaigns.get_campaign_send_job(id).data.id == id
    campaigns.cancel_campaign_send(id, resource("campaign-send-job", id, action="revert"))
    copy = campaigns.create_campaign_clone(resource("campaign", id, new_name="Again")).data.id
    for gone in (id, copy):
        campaigns.delete_campaign(gone)
    with pytest.raises(NotFoundException):
        campaigns.get_campaign(id)


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
    flow = flows.create_flow(resource("flow", name="Welcome", definition=definition)).data.id
    assert ids(sdk.Lists.get_flows_triggered_by_list(trigger)) == [flow]
    assert ids(sdk.Lists.get_ids_for_flows_triggered_by_list(trigger)) == [flow]
    flows.update_flow(flow, resource("flow", flow, status="manual"))
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
    flows.update_flow_action(send.id, resource("flow-action", send.id, definition=written))
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
    created = forms.create_form(resource("form", name="New", status="draft", ab_test=False, definition=definition)).data
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
    images.update_image(taken.id, resource("image", taken.id, name="Cup"))
    assert images.get_image(taken.id).data.attributes.name == "Cup"


def test_a_tag_in_a_group_is_put_on_everything_that_takes_tags(sdk: KlaviyoAPI) -> None:
    tags = sdk.Tags
    group = tags.create_tag_group(resource("tag-group", name="Seasons", exclusive=False)).data.id
    tags.update_tag_group(group, resource("tag-group", group, name="Times of year"))
    assert tags.get_tag_group(group).data.attributes.name == "Times of year"
    assert group in ids(tags.get_tag_groups(sort="name"))
    tag = tags.create_tag(resource("tag", links={"tag-group": resource("tag-group", group)}, name="Spring")).data.id
    tags.update_tag(tag, resource("tag", tag, name="Summer"))
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
        getattr(tags, f"tag_{kind}s")(tag, identifiers(kind, id))
        assert ids(getattr(tags, f"get_{kind}_ids_for_tag")(tag)) == [id]
        assert ids(getattr(section, f"get_tags_for_{kind}")(id)) == [tag]
        assert ids(getattr(section, f"get_tag_ids_for_{kind}")(id)) == [tag]
        getattr(tags, f"remove_tag_from_{kind}s")(tag, identifiers(kind, id))
        assert ids(getattr(tags, f"get_{kind}_ids_for_tag")(tag)) == []
    tags.delete_tag(tag)
    tags.delete_tag_group(group)
    with pytest.raises(NotFoundException):
        tags.get_tag(tag)


def test_a_template_is_created_rendered_cloned_and_deleted(sdk: KlaviyoAPI) -> None:
    templates, extra = sdk.Templates, {"additional_fields_template": ["definition"]}
    new = resource("template", name="Mine", editor_type="CODE", html="<p>{{ a }}</p>", text="{{ a }}")
    id = templates.create_template(new, **extra).data.id
    templates.update_template(id, resource("template", id, name="Yours"))
    assert templates.get_template(id, **extra).data.attributes.name == "Yours"
    assert ids(templates.get_templates(filter='equals(name,"Yours")', **extra)) == [id]
    assert templates.render_template(resource("template", id, context={"a": "x"})).data.attributes.html == "<p>x</p>"
    copy = templates.clone_template(resource("template", id, name="Twin")).data.id
    for gone in (id, copy):
        templates.delete_template(gone)
    with pytest.raises(NotFoundException):
        templates.get_template(id)


def test_universal_content_is_created_renamed_and_deleted(sdk: KlaviyoAPI) -> None:
    templates = sdk.Templates
    properties = {"content": "Go", "display_options": {}, "properties": {"href": "https://shop.example"}, "styles": {}}
    definition = {"content_type": "block", "type": "button", "data": properties}
    id = templates.create_universal_content(
        resource("template-universal-content", name="Go", definition=definition)
    ).data.id
    templates.update_universal_content(id, resource("template-universal-content", id, name="Stop"))
    assert templates.get_universal_content(id).data.attributes.name == "Stop"
    assert ids(templates.get_all_universal_content()) == [id]
    templates.delete_universal_content(id)
    assert ids(templates.get_all_universal_content()) == []


def test_a_web_feed_is_created_changed_and_deleted(sdk: KlaviyoAPI) -> None:
    feeds, said = sdk.Web_Feeds, {"url": "https://feed.example", "request_method": "get", "content_type": "json"}
    id = feeds.create_web_feed(resource("web-feed", name="Weather", **said)).data.id
    feeds.update_web_feed(id, resource("web-feed", id, name="Rain"))
    assert feeds.get_web_feed(id).data.attributes.name == "Rain"
    assert ids(feeds.get_web_feeds()) == [id]
    feeds.delete_web_feed(id)
    assert ids(feeds.get_web_feeds()) == []
