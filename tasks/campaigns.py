"""Campaigns: one message to an audience, who gets it, when, and what is sent."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Required, get_args

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from tasks.images import ImageField
from tasks.shapes import Day, TagField, Timestamp, UpTo100
from tasks.templates import TemplateSummaryField
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import SAFE, never
from worker.api.seed_names import Adds
from worker.api.wire import At, Linkage, Resources, flat_name

CampaignMessageField = Literal[
    "created_at", "definition", "definition.channel", "definition.content", "definition.content.action_buttons",
    "definition.content.bcc_email", "definition.content.body", "definition.content.cc_email",
    "definition.content.dynamic_image", "definition.content.from_email", "definition.content.from_label",
    "definition.content.media_url", "definition.content.preview_text", "definition.content.reply_to_email",
    "definition.content.subject", "definition.content.title", "definition.kv_pairs", "definition.label",
    "definition.notification_type", "definition.options", "definition.options.badge",
    "definition.options.badge.badge_options", "definition.options.badge.badge_options.badge_config",
    "definition.options.badge.badge_options.set_from_property", "definition.options.badge.badge_options.value",
    "definition.options.badge.display", "definition.options.on_open", "definition.options.on_open.android_deep_link",
    "definition.options.on_open.ios_deep_link", "definition.options.on_open.type", "definition.options.on_open.web_url",
    "definition.options.play_sound", "definition.render_options", "definition.render_options.add_info_link",
    "definition.render_options.add_opt_out_language", "definition.render_options.add_org_prefix",
    "definition.render_options.shorten_links", "id", "send_times", "updated_at",
]  # fmt: skip
CampaignField = Literal[
    "archived", "audiences", "audiences.excluded", "audiences.included", "created_at", "id", "name", "scheduled_at",
    "send_options", "send_options.use_smart_sending", "send_strategy", "send_strategy.date", "send_strategy.datetime",
    "send_strategy.method", "send_strategy.options", "send_strategy.options.is_local",
    "send_strategy.options.send_past_recipients_immediately", "send_strategy.throttle_percentage", "send_time",
    "status", "tracking_options", "tracking_options.add_tracking_params", "tracking_options.custom_tracking_params",
    "tracking_options.is_tracking_clicks", "tracking_options.is_tracking_opens", "updated_at",
]  # fmt: skip
CampaignSort = Literal[
    "created_at", "-created_at", "id", "-id", "name", "-name", "scheduled_at", "-scheduled_at", "updated_at",
    "-updated_at",
]  # fmt: skip
MessageInclude = Literal["campaign", "image", "template"]
CampaignSendJobField = Literal["id", "status"]
CampaignRecipientEstimationField = Literal["estimated_recipient_count", "id"]
CampaignRecipientEstimationJobField = Literal["id", "status"]
AssignedMessageField = Literal[
    "channel", "content", "content.bcc_email", "content.body", "content.cc_email", "content.from_email",
    "content.from_label", "content.media_url", "content.preview_text", "content.reply_to_email", "content.subject",
    "created_at", "id", "label", "render_options", "render_options.add_info_link",
    "render_options.add_opt_out_language", "render_options.add_org_prefix", "render_options.shorten_links",
    "send_times", "updated_at",
]  # fmt: skip
Channel = Literal["email", "sms", "mobile_push"]
ThrottlePercentage = Literal[1, 2, 5, 10, 11, 13, 14, 17, 20, 25, 33, 50]
DynamicValue = Literal[
    "campaign_id", "campaign_name", "campaign_name_id", "campaign_name_send_day", "email_subject", "group_id",
    "group_name", "group_name_id", "link_alt_text", "message_type", "profile_external_id", "profile_id",
]  # fmt: skip


class Audiences(TypedDict, total=False):
    """Ids of the lists and segments that receive a campaign, and of those that are excluded."""

    included: Required[list[str]]
    excluded: list[str] | None


class AudiencesUpdate(TypedDict, total=False):
    """The same for an update, where either may be left out."""

    included: list[str] | None
    excluded: list[str] | None


class StaticOptions(TypedDict, total=False):
    """Whether the time is local to the recipient, and what happens if it has already passed there."""

    is_local: Required[bool]
    send_past_recipients_immediately: bool


class StaticSend(TypedDict, total=False):
    """Send to everybody at one time."""

    method: Required[Literal["static"]]
    datetime: Required[Timestamp]
    options: StaticOptions | None


class ThrottledSend(TypedDict):
    """Send to a share of the audience every hour, from a time on."""

    method: Literal["throttled"]
    datetime: Timestamp
    throttle_percentage: ThrottlePercentage


class ImmediateSend(TypedDict):
    """Send as soon as the campaign is sent off."""

    method: Literal["immediate"]


class SmartSendTime(TypedDict):
    """Send on a date, at the hour that Klaviyo finds best."""

    method: Literal["smart_send_time"]
    date: Day


class SendOptions(TypedDict, total=False):
    """Whether people who received a message recently are skipped."""

    use_smart_sending: bool | None


class StaticTrackingParam(TypedDict):
    """A parameter with the same value in every link."""

    type: Literal["static"]
    name: str
    value: str


class DynamicTrackingParam(TypedDict):
    """A parameter whose value Klaviyo fills in."""

    type: Literal["dynamic"]
    name: str
    value: DynamicValue


TrackingParam = Annotated[StaticTrackingParam | DynamicTrackingParam, Field(discriminator="type")]


class TrackingOptionsFields(TypedDict, total=False):
    """What is added to links and what is tracked; clicks and opens apply to email only."""

    add_tracking_params: bool | None
    custom_tracking_params: list[TrackingParam] | None
    is_tracking_clicks: bool | None
    is_tracking_opens: bool | None


class EmailContent(TypedDict, total=False):
    """Subject and addresses; the body comes from a template."""

    subject: str | None
    preview_text: str | None
    from_email: str | None
    from_label: str | None
    reply_to_email: str | None
    cc_email: str | None
    bcc_email: str | None


class EmailMessage(TypedDict, total=False):
    """An email."""

    channel: Required[Literal["email"]]
    label: str | None
    content: EmailContent | None


class SmsContent(TypedDict, total=False):
    """The text."""

    body: str | None


class RenderOptions(TypedDict, total=False):
    """What Klaviyo adds to a text message."""

    shorten_links: bool | None
    add_org_prefix: bool | None
    add_info_link: bool | None
    add_opt_out_language: bool | None


class SmsMessage(TypedDict, total=False):
    """A text message."""

    channel: Required[Literal["sms"]]
    content: SmsContent | None
    render_options: RenderOptions | None


class ActionButton(TypedDict, total=False):
    """A button below a push notification."""

    label: Required[str]
    action_type: Required[str]
    position: int | None
    url: str | None


class NewPushContent(TypedDict, total=False):
    """What a new push notification shows."""

    title: str | None
    body: Required[str]
    dynamic_image: str | None
    action_buttons: list[ActionButton] | None


class PushContent(TypedDict, total=False):
    """What an update changes in what a push notification shows."""

    title: str | None
    body: str | None
    dynamic_image: str | None
    action_buttons: list[ActionButton] | None


class PushOpening(TypedDict, total=False):
    """What a tap opens."""

    type: Required[Literal["open_app", "deep_link", "open_web_url"]]
    ios_deep_link: str | None
    android_deep_link: str | None
    web_url: str | None


class BadgeOptions(TypedDict, total=False):
    """What to set the number on the app's icon to."""

    badge_config: Required[Literal["increment_one", "set_count", "set_property"]]
    value: str
    set_from_property: str


class Badge(TypedDict, total=False):
    """Whether there is a number on the app's icon."""

    display: Required[bool]
    badge_options: BadgeOptions | None


class PushOptions(TypedDict, total=False):
    """How a push notification behaves on the phone."""

    on_open: PushOpening | None
    badge: Badge | None
    play_sound: bool | None


class NewPushMessage(TypedDict, total=False):
    """A new push notification; a silent one carries `kv_pairs` only."""

    channel: Required[Literal["mobile_push"]]
    notification_type: Literal["standard", "silent"]
    content: NewPushContent
    kv_pairs: dict[str, Any] | None
    options: PushOptions | None


class PushMessage(TypedDict, total=False):
    """What an update changes in a push notification."""

    channel: Required[Literal["mobile_push"]]
    notification_type: Literal["standard", "silent"]
    content: PushContent | None
    kv_pairs: dict[str, Any] | None
    options: PushOptions | None


# Translates what revision 2024-07-15 expressed differently. What cannot be read passes through, to be refused.

#: The key under which each method had its options.
OPTIONS_2024 = {"static": "options_static", "throttled": "options_throttled", "smart_send_time": "options_sto"}


def send_strategy_of_2024(given: Any) -> Any:
    """Accept a send strategy with an object of options for each method; a single object also implies the method."""
    if not isinstance(given, dict) or not (there := [name for name, key in OPTIONS_2024.items() if key in given]):
        return given
    method = given.get("method") or (there[0] if len(there) == 1 else None)
    options = given.get(OPTIONS_2024[method]) if method in there else {}
    if not isinstance(options, dict):
        return given
    rest = dict(options)
    local, past = rest.pop("is_local", None), rest.pop("send_past_recipients_immediately", None)
    strategy = {"method": method, **rest}
    if local is not None:
        strategy["options"] = {"is_local": local}
    if local and past is not None:
        strategy["options"]["send_past_recipients_immediately"] = past
    return strategy


def tracking_of_2024(given: Any) -> Any:
    """Accept tracking options with `is_add_utm`, and `utm_params` without a type."""
    if not isinstance(given, dict):
        return given
    options = dict(given)
    if "is_add_utm" in options:
        options["add_tracking_params"] = options.pop("is_add_utm")
    if isinstance(options.get("utm_params"), list):
        params = options.pop("utm_params")
        options["custom_tracking_params"] = [
            {"type": "static", **each} if isinstance(each, dict) else each for each in params
        ]
    return options


def definition_of_2024(given: Any) -> Any:
    """Accept a message without a channel, as updates had it: the content implies the channel."""
    if not isinstance(given, dict) or "channel" in given or not {*given} & {"label", "content", "render_options"}:
        return given
    content = given.get("content")
    texts = "render_options" in given or (isinstance(content, dict) and "body" in content)
    return _definition("sms" if texts else "email", given)


def definition_as_read(given: Any) -> Any:
    """Accept a text message as a GET returns it, with the URL of its image, which cannot be set: ``image_id`` can."""
    return _without_media(definition_of_2024(given), lambda media: True)


def definition_as_written(given: Any) -> Any:
    """A message of a new campaign; one that had a picture would be without it, and is refused."""
    return _without_media(definition_of_2024(given), lambda media: media is None)


def _without_media(given: Any, dispensable: Callable[[Any], bool]) -> Any:
    content = given.get("content") if isinstance(given, dict) else None
    if not isinstance(content, dict) or "media_url" not in content or not dispensable(content["media_url"]):
        return given
    return {**given, "content": {name: value for name, value in content.items() if name != "media_url"}}


def messages_of_2024(given: Any) -> Any:
    """New messages whose parts stand beside each other, with a definition each."""
    if not isinstance(given, list):
        return given
    messages = []
    for each in given:
        if isinstance(each, dict) and isinstance(parts := each.get("attributes"), dict) and "definition" not in each:
            rest = {name: value for name, value in each.items() if name != "attributes"}
            messages.append({**rest, "definition": _definition(parts.get("channel"), parts)})
        else:
            messages.append(each)
    return messages


def _definition(channel: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a message in one, without what its channel no longer has."""
    gone = "label" if channel == "sms" else "render_options" if channel == "email" else None
    return {"channel": channel, **{name: value for name, value in parts.items() if name != gone}}


SendStrategy = Annotated[
    Annotated[StaticSend | ThrottledSend | ImmediateSend | SmartSendTime, Field(discriminator="method")],
    BeforeValidator(send_strategy_of_2024),
]
TrackingOptions = Annotated[TrackingOptionsFields, BeforeValidator(tracking_of_2024)]
NewMessageDefinition = Annotated[
    Annotated[EmailMessage | SmsMessage | NewPushMessage, Field(discriminator="channel")],
    BeforeValidator(definition_as_written),
]
MessageDefinition = Annotated[
    Annotated[EmailMessage | SmsMessage | PushMessage, Field(discriminator="channel")],
    BeforeValidator(definition_as_read),
]


class CampaignMessage(TypedDict, total=False):
    """A message of a new campaign."""

    definition: Required[NewMessageDefinition]
    image_id: Annotated[str, At("relationships.image.data"), Linkage("image")]


#: The seed document's places of a send strategy, which are those of 2024.
STRATEGY_2024 = {
    flat_name(f"data.attributes.{place}"): place
    for place in (
        "send_strategy.method",
        "send_strategy.options_static.datetime",
        "send_strategy.options_static.is_local",
        "send_strategy.options_static.send_past_recipients_immediately",
        "send_strategy.options_throttled.datetime",
        "send_strategy.options_throttled.throttle_percentage",
        "send_strategy.options_sto.date",
    )
}


def channel_filter(params: Params, channel: Any) -> None:
    """Turn the seed document's `channel` into a condition of the filter."""
    if channel not in get_args(Channel):
        raise ValueError(f"it is one of {', '.join(get_args(Channel))}")
    _narrow(params, f"equals(messages.channel,'{channel}')")


def archived_filter(params: Params, archived: Any) -> None:
    """Turn the seed document's `include_archived` into a condition of the filter."""
    if archived is not None:
        _narrow(params, f"equals(archived,{str(bool(archived)).lower()})")


def _narrow(params: Params, condition: str) -> None:
    params["filter"] = ",".join([*filter(None, [params.get("filter")]), condition])


def names_a_channel(params: Params) -> str | None:
    """Klaviyo lists the campaigns of one channel at a time."""
    if "messages.channel" in params["filter"]:
        return None
    return "parameter 'filter' must name a channel: equals(messages.channel,'email')"


@action(
    "GET /api/campaigns",
    limits="10/s 150/m",
    scopes="campaigns:read",
    seed={"channel": channel_filter, "include_archived": archived_filter},
    checks=(names_a_channel,),
)
def get_campaigns(
    *,
    filter: str,
    sort: CampaignSort | None = None,
    include: list[Literal["campaign-messages", "tags"]] | None = None,
    fields_campaign_message: list[CampaignMessageField] | None = None,
    fields_campaign: list[CampaignField] | None = None,
    fields_tag: list[TagField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the campaigns of one channel.

    The filter has to name the channel, as in `equals(messages.channel,'email')`. Archived campaigns are a list of
    their own: `equals(archived,true)`.
    """
    ...


@action(
    "GET /api/campaigns/{id}",
    limits="10/s 150/m",
    scopes="campaigns:read",
    seed={
        "campaign_id": "id",
        "include_messages": Adds("include", "campaign-messages"),
        "include_tags": Adds("include", "tags"),
    },
)
def get_campaign(
    *,
    id: str,
    include: list[Literal["campaign-messages", "tags"]] | None = None,
    fields_campaign_message: list[CampaignMessageField] | None = None,
    fields_campaign: list[CampaignField] | None = None,
    fields_tag: list[TagField] | None = None,
) -> Envelope:
    """Get a campaign."""
    ...


@action(
    "GET /api/campaigns/{id}/tags", limits="3/s 60/m", scopes="campaigns:read tags:read", names_2024="get_campaign_tags"
)
def get_tags_for_campaign(*, id: str, fields_tag: list[TagField] | None = None) -> Envelope:
    """List the tags of a campaign."""
    ...


@action(
    "GET /api/campaigns/{id}/relationships/tags",
    limits="3/s 60/m",
    scopes="campaigns:read tags:read",
    names_2024="get_campaign_relationships_tags",
)
def get_tag_ids_for_campaign(*, id: str) -> Envelope:
    """List the ids of the tags of a campaign."""
    ...


@action(
    "GET /api/campaigns/{id}/campaign-messages",
    limits="10/s 150/m",
    scopes="campaigns:read",
    names_2024="get_campaign_campaign_messages",
)
def get_messages_for_campaign(
    *,
    id: str,
    include: list[MessageInclude] | None = None,
    fields_campaign_message: list[CampaignMessageField] | None = None,
    fields_campaign: list[CampaignField] | None = None,
    fields_image: list[ImageField] | None = None,
    fields_template: list[TemplateSummaryField] | None = None,
) -> Envelope:
    """List the messages of a campaign."""
    ...


@action(
    "GET /api/campaigns/{id}/relationships/campaign-messages",
    limits="10/s 150/m",
    scopes="campaigns:read",
    names_2024="get_campaign_relationships_campaign_messages",
)
def get_message_ids_for_campaign(*, id: str) -> Envelope:
    """List the ids of the messages of a campaign."""
    ...


@action("GET /api/campaign-messages/{id}", limits="10/s 150/m", scopes="campaigns:read")
def get_campaign_message(
    *,
    id: str,
    include: list[MessageInclude] | None = None,
    fields_campaign_message: list[CampaignMessageField] | None = None,
    fields_campaign: list[CampaignField] | None = None,
    fields_image: list[ImageField] | None = None,
    fields_template: list[TemplateSummaryField] | None = None,
) -> Envelope:
    """Get a message of a campaign."""
    ...


@action(
    "GET /api/campaign-messages/{id}/campaign",
    limits="10/s 150/m",
    scopes="campaigns:read",
    names_2024="get_campaign_message_campaign",
)
def get_campaign_for_campaign_message(*, id: str, fields_campaign: list[CampaignField] | None = None) -> Envelope:
    """Get the campaign that a message belongs to."""
    ...


@action(
    "GET /api/campaign-messages/{id}/relationships/campaign",
    limits="10/s 150/m",
    scopes="campaigns:read",
    names_2024="get_campaign_message_relationships_campaign",
)
def get_campaign_id_for_campaign_message(*, id: str) -> Envelope:
    """Get the id of the campaign that a message belongs to."""
    ...


@action(
    "GET /api/campaign-messages/{id}/template",
    limits="10/s 150/m",
    scopes="campaigns:read templates:read",
    names_2024="get_campaign_message_template",
)
def get_template_for_campaign_message(
    *, id: str, fields_template: list[TemplateSummaryField] | None = None
) -> Envelope:
    """Get the template of a message.

    A message has a copy of the template that was assigned to it, not that template itself.
    """
    ...


@action(
    "GET /api/campaign-messages/{id}/relationships/template",
    limits="10/s 150/m",
    scopes="campaigns:read templates:read",
    names_2024="get_campaign_message_relationships_template",
)
def get_template_id_for_campaign_message(*, id: str) -> Envelope:
    """Get the id of the template of a message."""
    ...


@action("GET /api/campaign-messages/{id}/image", limits="10/s 150/m", scopes="campaigns:read images:read")
def get_image_for_campaign_message(*, id: str, fields_image: list[ImageField] | None = None) -> Envelope:
    """Get the image of a push message."""
    ...


@action("GET /api/campaign-messages/{id}/relationships/image", limits="10/s 150/m", scopes="campaigns:read images:read")
def get_image_id_for_campaign_message(*, id: str) -> Envelope:
    """Get the id of the image of a push message."""
    ...


@action("GET /api/campaign-send-jobs/{id}", limits="10/s 150/m", scopes="campaigns:read")
def get_campaign_send_job(*, id: str, fields_campaign_send_job: list[CampaignSendJobField] | None = None) -> Envelope:
    """Get the status of a campaign send job.

    The id is the campaign's own.
    """
    ...


@action("GET /api/campaign-recipient-estimations/{id}", limits="10/s 150/m", scopes="campaigns:read")
def get_campaign_recipient_estimation(
    *, id: str, fields_campaign_recipient_estimation: list[CampaignRecipientEstimationField] | None = None
) -> Envelope:
    """Get the latest estimate of how many people a campaign reaches.

    Ask for a new one with `refresh_campaign_recipient_estimation`.
    """
    ...


@action("GET /api/campaign-recipient-estimation-jobs/{id}", limits="10/s 150/m", scopes="campaigns:read")
def get_campaign_recipient_estimation_job(
    *, id: str, fields_campaign_recipient_estimation_job: list[CampaignRecipientEstimationJobField] | None = None
) -> Envelope:
    """Get the status of a recipient estimation job.

    The id is the campaign's own.
    """
    ...


@action(
    "POST /api/campaigns",
    type="campaign",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=never("the campaigns created since the call, by their name"),
    seed=STRATEGY_2024,
)
def create_campaign(
    *,
    name: str,
    audiences: Audiences,
    campaign_messages: Annotated[
        list[CampaignMessage],
        At("data.attributes.campaign-messages.data"),
        Resources("campaign-message"),
        BeforeValidator(messages_of_2024),
    ],
    send_strategy: SendStrategy | None = None,
    send_options: SendOptions | None = None,
    tracking_options: TrackingOptions | None = None,
    fields_campaign: list[CampaignField] | None = None,
) -> Envelope:
    """Create a campaign as a draft.

    Nothing is sent before `send_campaign`. Klaviyo has no key that would find a repeat: put a mark of your own into the
    name where you want to be sure.
    """
    ...


@action(
    "PATCH /api/campaigns/{id}",
    type="campaign",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=SAFE,
    seed={
        **STRATEGY_2024,
        "campaign_id": "id",
        "included_audiences": "audiences.included",
        "excluded_audiences": "audiences.excluded",
        "send_strategy_method": "send_strategy.method",
        "static_send_datetime": "send_strategy.options_static.datetime",
        "static_is_local_timezone": "send_strategy.options_static.is_local",
        "static_send_past_recipients_immediately": "send_strategy.options_static.send_past_recipients_immediately",
        "throttled_send_datetime": "send_strategy.options_throttled.datetime",
        "throttle_percentage": "send_strategy.options_throttled.throttle_percentage",
        "sto_send_date": "send_strategy.options_sto.date",
    },
)
def update_campaign(
    *,
    id: str,
    name: str | None = None,
    audiences: AudiencesUpdate | None = None,
    send_options: SendOptions | None = None,
    tracking_options: TrackingOptions | None = None,
    send_strategy: SendStrategy | None = None,
    fields_campaign: list[CampaignField] | None = None,
) -> Envelope:
    """Update a campaign that has not been sent.

    The send strategy is replaced as a whole. Options that the channel does not have are refused.
    """
    ...


@action("DELETE /api/campaigns/{id}", limits="10/s 150/m", scopes="campaigns:write", repeat=SAFE)
def delete_campaign(*, id: str) -> Envelope:
    """Delete a campaign."""
    ...


@action(
    "POST /api/campaign-clone",
    type="campaign",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=never("the campaigns created since the call, by the new name"),
)
def create_campaign_clone(
    *,
    id: Annotated[str, At("data.id")],
    new_name: str | None = None,
    fields_campaign: list[CampaignField] | None = None,
) -> Envelope:
    """Copy a campaign into a new draft."""
    ...


@action(
    "PATCH /api/campaign-messages/{id}",
    type="campaign-message",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=SAFE,
    seed={
        "data__attributes__label": "definition.label",
        "data__attributes__content": "definition.content",
        "data__attributes__render__options__shorten__links": "definition.render_options.shorten_links",
        "data__attributes__render__options__add__org__prefix": "definition.render_options.add_org_prefix",
        "data__attributes__render__options__add__info__link": "definition.render_options.add_info_link",
        "data__attributes__render__options__add__opt__out__language": "definition.render_options.add_opt_out_language",
    },
)
def update_campaign_message(
    *,
    id: str,
    definition: MessageDefinition | None = None,
    image_id: Annotated[str, At("data.relationships.image.data"), Linkage("image")] | None = None,
    fields_campaign_message: list[CampaignMessageField] | None = None,
) -> Envelope:
    """Update a message of a campaign that has not been sent."""
    ...


@action(
    "PATCH /api/campaign-messages/{id}/relationships/image",
    limits="10/s 150/m",
    scopes="campaigns:write images:read",
    repeat=SAFE,
)
def update_image_for_campaign_message(*, id: str, image_id: Annotated[str, At("data"), Linkage("image")]) -> Envelope:
    """Give a push message an image."""
    ...


@action(
    "POST /api/campaign-message-assign-template",
    type="campaign-message",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=SAFE,
    names_2024="create_campaign_message_assign_template",
)
def assign_template_to_campaign_message(
    *,
    id: Annotated[str, At("data.id")],
    template_id: Annotated[str, At("data.relationships.template.data"), Linkage("template")],
    fields_campaign_message: list[AssignedMessageField] | None = None,
) -> Envelope:
    """Give a message a copy of a template.

    The copy cannot be used anywhere else. Assigning again makes a new copy: what was edited in the old one is lost.
    """
    ...


@action(
    "POST /api/campaign-send-jobs",
    type="campaign-send-job",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=never("`get_campaign_send_job` and the status of the campaign: only a draft has not been sent"),
    names_2024="create_campaign_send_job",
)
def send_campaign(
    *, id: Annotated[str, At("data.id")], fields_campaign_send_job: list[CampaignSendJobField] | None = None
) -> Envelope:
    """Send a campaign, or schedule it if its send strategy says so.

    Klaviyo answers before anything is sent: `get_campaign_send_job` with the campaign's id reports its progress.
    """
    ...


@action(
    "PATCH /api/campaign-send-jobs/{id}",
    type="campaign-send-job",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=never(
        "`get_campaign_send_job` and the status of the campaign, which may have been scheduled again meanwhile"
    ),
    names_2024="update_campaign_send_job",
)
def cancel_campaign_send(*, id: str, action: Literal["cancel", "revert"]) -> Envelope:
    """Cancel a send for good, or turn a scheduled campaign back into a draft.

    `cancel` stops what has not been sent and cannot be undone; `revert` makes the campaign a draft again.
    """
    ...


@action(
    "POST /api/campaign-recipient-estimation-jobs",
    type="campaign-recipient-estimation-job",
    limits="10/s 150/m",
    scopes="campaigns:write",
    repeat=SAFE,
    names_2024="create_campaign_recipient_estimation_job",
    seed={"campaign_id": "id"},
)
def refresh_campaign_recipient_estimation(
    *,
    id: Annotated[str, At("data.id")],
    fields_campaign_recipient_estimation_job: list[CampaignRecipientEstimationJobField] | None = None,
) -> Envelope:
    """Start estimating how many people a campaign would reach.

    The job has the campaign's id; when it is complete, `get_campaign_recipient_estimation` has the number.
    """
    ...
