"""Campaigns: create with messages, update, clone, and assign templates to messages."""

from collections.abc import Mapping
from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, error, invalid, invalid_parameter, refusal
from sandbox.reading import documents, listings
from sandbox.reading.filters import Condition
from sandbox.records import campaigns, templates
from sandbox.records.store import Resource

CHANGEABLE = ("Draft", "Scheduled")
_MESSAGES = "/data/attributes/campaign-messages/data"
_FLAT = ("channel", "label", "content", "render_options")


def get_campaigns(call: Call) -> Reply:
    """The campaigns of a channel. Archived ones are listed separately, on request."""
    conditions = call.query.conditions
    channels = [one.values[0] for one in conditions if one.field == "messages.channel"]
    if not channels or channels[0] not in campaigns.CHANNELS:
        wanted = " or ".join(f"equals(messages.channel,'{channel}')" for channel in campaigns.CHANNELS)
        raise invalid_parameter(f"A channel filter is required: {wanted}.", "filter")
    if all(one.field != "archived" for one in conditions):
        conditions.append(Condition("equals", "archived", (False,)))
    return listings.list_all(call, "campaign")


def create_campaign(call: Call) -> Reply:
    """Create a draft with its messages."""
    sent = call.attributes
    messages = sent["campaign-messages"]["data"]
    definitions = _definitions(messages)
    images = [_image(call, message) for message in messages]
    campaign = campaigns.create(call.store, sent, definitions, call.now)
    for message, image in zip(list(call.store.related(campaign, "campaign-messages")), images, strict=True):
        if image:
            call.store.link(message, "image", image, call.now)
    return documents.single(call, campaign)


def update_campaign(call: Call) -> Reply:
    """Update a campaign that has not begun to send."""
    campaign = call.store.get("campaign", call.path_id)
    if campaign.attributes["status"] not in CHANGEABLE:
        raise refusal(400, f"A campaign that is {campaign.attributes['status']} cannot be changed.")
    sent = {name: value for name, value in call.attributes.items() if value is not None}
    for name in ("audiences", "tracking_options", "send_options"):
        if name in sent:
            news = {key: value for key, value in sent[name].items() if value is not None}
            sent[name] = campaign.attributes[name] | news
    campaign.attributes |= sent
    call.store.touch(campaign, call.now)
    return documents.single(call, campaign)


def create_campaign_clone(call: Call) -> Reply:
    """Create a draft like another campaign."""
    original = call.store.get("campaign", call.data["id"])
    return documents.single(call, campaigns.clone(call.store, original, call.attributes.get("new_name"), call.now))


def delete_campaign(call: Call) -> Reply:
    """Delete a campaign, with its messages."""
    campaigns.remove(call.store, call.store.get("campaign", call.path_id))
    return Reply()


def update_campaign_message(call: Call) -> Reply:
    """Update parts of a message's definition, or its image. Its channel cannot change."""
    message = call.store.get("campaign-message", call.path_id)
    definition, sent = message.attributes["definition"], call.attributes.get("definition") or {}
    if sent.get("channel", definition["channel"]) != definition["channel"]:
        raise invalid("The channel of a message cannot be changed.", "/data/attributes/definition/channel")
    image = _image(call, call.data)
    message.attributes["definition"] = campaigns.merge_definition(definition, sent)
    if image:
        _point(call, message, "image", image)
    call.store.touch(message, call.now)
    return documents.single(call, message)


def assign_template_to_campaign_message(call: Call) -> Reply:
    """Give a message a copy of a template. Only this response still has a message's attributes flat."""
    message = call.store.get("campaign-message", call.data["id"])
    if message.attributes["definition"]["channel"] != "email":
        raise invalid("Only an email message takes a template.", "/data/id")
    ids = call.linkage("template")
    if not ids:
        raise invalid("template is a required field.", "/data/relationships/template/data")
    template = call.store.get("template", ids[0])
    for former in list(call.store.related(message, "template")):
        call.store.remove(former)
    copy = templates.copy(call.store, template, template.attributes["name"], call.now, reusable=False)
    _point(call, message, "template", copy)
    call.store.touch(message, call.now)
    definition = message.attributes["definition"]
    shown = {name: definition[name] for name in _FLAT if name in definition}
    rest = {name: value for name, value in message.attributes.items() if name != "definition"}
    return documents.single(call, Resource(message.type, message.id, message.number, shown | rest, message.links))


def _point(call: Call, message: Resource, relation: str, target: Resource) -> None:
    for id in message.linked(relation):
        call.store.unlink(message, relation, id)
    call.store.link(message, relation, target, call.now)


def _image(call: Call, item: Mapping[str, Any]) -> Resource | None:
    data = ((item.get("relationships") or {}).get("image") or {}).get("data")
    return call.store.get("image", data["id"]) if data else None


def _definitions(messages: list[Any]) -> list[Mapping[str, Any]]:
    """The definitions of a campaign's messages, which must have the same channel."""
    if not messages:
        raise invalid("At least one message is required.", _MESSAGES)
    found: list[Mapping[str, Any]] = []
    errors = []
    for index, message in enumerate(messages):
        definition = message["attributes"]["definition"]
        place = f"{_MESSAGES}/{index}/attributes/definition"
        if found and definition["channel"] != found[0]["channel"]:
            errors.append(error(400, "All messages must have the same channel.", pointer=f"{place}/channel"))
        else:
            found.append(definition)
    if errors:
        raise ApiError(400, errors)
    return found
