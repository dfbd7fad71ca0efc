"""Flows: what people receive automatically when something has happened."""

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.shapes import FlowField, Number, TagField, Timestamp, UpTo50
from tasks.templates import TemplateSummaryField
from tasks.timezones import TimeZone
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import SAFE, never

ConditionType = Literal[
    "action-output", "custom-object-property", "custom-object-trigger-property", "low-inventory-property",
    "metric-property", "price-drop-property", "profile-group-membership", "profile-has-custom-object",
    "profile-marketing-consent", "profile-metric", "profile-not-in-flow", "profile-not-sent-email",
    "profile-not-sent-push", "profile-not-sent-sms", "profile-permissions", "profile-postal-code-distance",
    "profile-predictive-analytics", "profile-property", "profile-region", "profile-sample",
]  # fmt: skip
Dimension = Literal[
    "average_days_between_orders", "average_order_value", "channel_affinity", "churn_probability",
    "expected_date_of_next_purchase", "historic_clv", "historic_number_of_orders", "predicted_clv", "predicted_gender",
    "predicted_number_of_orders", "total_clv",
]  # fmt: skip
WinnerMetric = Literal["unique-opens", "unique-clicks", "unique-placed-orders", "open-rate", "click-rate", "submission"]
FlowActionSort = Literal[
    "action_type", "-action_type", "created", "-created", "id", "-id", "status", "-status", "updated", "-updated",
]  # fmt: skip
FlowActionField = Literal[
    "created", "definition", "definition.data", "definition.data.action_output_filter",
    "definition.data.action_output_filter.condition_groups", "definition.data.branches",
    "definition.data.current_experiment", "definition.data.current_experiment.allocations",
    "definition.data.current_experiment.automatic_winner_selection_settings",
    "definition.data.current_experiment.automatic_winner_selection_settings.automatic_end_date",
    "definition.data.current_experiment.automatic_winner_selection_settings.automatic_end_statistical_certainty",
    "definition.data.current_experiment.automatic_winner_selection_settings.enabled",
    "definition.data.current_experiment.id", "definition.data.current_experiment.name",
    "definition.data.current_experiment.started", "definition.data.current_experiment.variations",
    "definition.data.current_experiment.winner_metric", "definition.data.delay_until_time",
    "definition.data.delay_until_weekdays", "definition.data.experiment_status", "definition.data.list_id",
    "definition.data.main_action", "definition.data.main_action.data", "definition.data.main_action.data.message",
    "definition.data.main_action.data.message.action_buttons", "definition.data.main_action.data.message.add_info_link",
    "definition.data.main_action.data.message.add_opt_out_language",
    "definition.data.main_action.data.message.add_org_prefix",
    "definition.data.main_action.data.message.add_tracking_params",
    "definition.data.main_action.data.message.additional_filters",
    "definition.data.main_action.data.message.additional_filters.condition_groups",
    "definition.data.main_action.data.message.android_link", "definition.data.main_action.data.message.badge",
    "definition.data.main_action.data.message.badge_options",
    "definition.data.main_action.data.message.badge_options.badge_config",
    "definition.data.main_action.data.message.badge_options.set_from_property",
    "definition.data.main_action.data.message.badge_options.value",
    "definition.data.main_action.data.message.bcc_email", "definition.data.main_action.data.message.body",
    "definition.data.main_action.data.message.cc_email",
    "definition.data.main_action.data.message.conversion_metric_id",
    "definition.data.main_action.data.message.custom_tracking_params",
    "definition.data.main_action.data.message.dynamic_image", "definition.data.main_action.data.message.from_email",
    "definition.data.main_action.data.message.from_label", "definition.data.main_action.data.message.id",
    "definition.data.main_action.data.message.image_id",
    "definition.data.main_action.data.message.include_contact_card",
    "definition.data.main_action.data.message.ios_link", "definition.data.main_action.data.message.kv_pairs",
    "definition.data.main_action.data.message.message_hierarchy", "definition.data.main_action.data.message.name",
    "definition.data.main_action.data.message.on_open", "definition.data.main_action.data.message.preview_text",
    "definition.data.main_action.data.message.push_type", "definition.data.main_action.data.message.reply_to_email",
    "definition.data.main_action.data.message.shorten_links",
    "definition.data.main_action.data.message.smart_sending_enabled",
    "definition.data.main_action.data.message.sms_quiet_hours_enabled",
    "definition.data.main_action.data.message.sound", "definition.data.main_action.data.message.subject_line",
    "definition.data.main_action.data.message.template_id", "definition.data.main_action.data.message.title",
    "definition.data.main_action.data.message.transactional", "definition.data.main_action.data.message.vendor_id",
    "definition.data.main_action.data.message.video_asset_id", "definition.data.main_action.data.message.web_url",
    "definition.data.main_action.data.status", "definition.data.main_action.id", "definition.data.main_action.links",
    "definition.data.main_action.links.next", "definition.data.main_action.temporary_id",
    "definition.data.main_action.type", "definition.data.message", "definition.data.message.action_buttons",
    "definition.data.message.add_info_link", "definition.data.message.add_opt_out_language",
    "definition.data.message.add_org_prefix", "definition.data.message.add_tracking_params",
    "definition.data.message.additional_filters", "definition.data.message.additional_filters.condition_groups",
    "definition.data.message.android_link", "definition.data.message.badge", "definition.data.message.badge_options",
    "definition.data.message.badge_options.badge_config", "definition.data.message.badge_options.set_from_property",
    "definition.data.message.badge_options.value", "definition.data.message.bcc_email", "definition.data.message.body",
    "definition.data.message.cc_email", "definition.data.message.conversion_metric_id",
    "definition.data.message.custom_tracking_params", "definition.data.message.dynamic_image",
    "definition.data.message.from_email", "definition.data.message.from_label", "definition.data.message.headers",
    "definition.data.message.id", "definition.data.message.image_id", "definition.data.message.include_contact_card",
    "definition.data.message.ios_link", "definition.data.message.kv_pairs", "definition.data.message.message_hierarchy",
    "definition.data.message.name", "definition.data.message.on_open", "definition.data.message.preview_text",
    "definition.data.message.push_type", "definition.data.message.reply_to_email",
    "definition.data.message.shorten_links", "definition.data.message.smart_sending_enabled",
    "definition.data.message.sms_quiet_hours_enabled", "definition.data.message.sound",
    "definition.data.message.subject_line", "definition.data.message.template_id", "definition.data.message.title",
    "definition.data.message.to_emails", "definition.data.message.transactional", "definition.data.message.url",
    "definition.data.message.vendor_id", "definition.data.message.video_asset_id", "definition.data.message.web_url",
    "definition.data.name", "definition.data.on_execution", "definition.data.profile_filter",
    "definition.data.profile_filter.condition_groups", "definition.data.profile_operations",
    "definition.data.secondary_value", "definition.data.service_configuration",
    "definition.data.service_configuration.event_key", "definition.data.service_configuration.event_payload",
    "definition.data.service_configuration.report_id", "definition.data.service_configuration.service_method_type",
    "definition.data.service_configuration.tracking_company_id", "definition.data.status",
    "definition.data.target_days", "definition.data.target_time", "definition.data.timezone",
    "definition.data.trigger_filter", "definition.data.trigger_filter.condition_groups", "definition.data.trigger_id",
    "definition.data.trigger_subtype", "definition.data.trigger_type", "definition.data.unit", "definition.data.value",
    "definition.id", "definition.links", "definition.links.next", "definition.links.next_if_false",
    "definition.links.next_if_true", "definition.temporary_id", "definition.type", "id", "updated",
]  # fmt: skip
FlowSort = Literal[
    "created", "-created", "id", "-id", "name", "-name", "status", "-status", "trigger_type", "-trigger_type",
    "updated", "-updated",
]  # fmt: skip
FlowWithDefinitionField = Literal[
    "archived", "created", "definition", "definition.actions", "definition.entry_action_id",
    "definition.profile_filter", "definition.profile_filter.condition_groups", "definition.reentry_criteria",
    "definition.reentry_criteria.duration", "definition.reentry_criteria.unit", "definition.triggers", "id", "name",
    "status", "trigger_type", "updated",
]  # fmt: skip
FlowMessageField = Literal[
    "channel", "created", "definition", "definition.action_buttons", "definition.add_info_link",
    "definition.add_opt_out_language", "definition.add_org_prefix", "definition.add_tracking_params",
    "definition.additional_filters", "definition.additional_filters.condition_groups", "definition.android_link",
    "definition.badge", "definition.badge_options", "definition.badge_options.badge_config",
    "definition.badge_options.set_from_property", "definition.badge_options.value", "definition.bcc_email",
    "definition.body", "definition.cc_email", "definition.conversion_metric_id", "definition.custom_tracking_params",
    "definition.dynamic_image", "definition.from_email", "definition.from_label", "definition.headers", "definition.id",
    "definition.image_id", "definition.include_contact_card", "definition.ios_link", "definition.kv_pairs",
    "definition.message_hierarchy", "definition.name", "definition.on_open", "definition.preview_text",
    "definition.push_type", "definition.reply_to_email", "definition.shorten_links", "definition.smart_sending_enabled",
    "definition.sms_quiet_hours_enabled", "definition.sound", "definition.subject_line", "definition.template_id",
    "definition.title", "definition.to_emails", "definition.transactional", "definition.url", "definition.vendor_id",
    "definition.video_asset_id", "definition.web_url", "id", "updated",
]  # fmt: skip
FlowMessageSort = Literal["created", "-created", "id", "-id", "name", "-name", "updated", "-updated"]
ActionStatus = Literal["disabled", "draft", "live", "manual"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Condition(TypedDict, total=False):
    """A condition. Klaviyo's reference of flows says which keys go with a type, and what a filter may say."""

    type: Required[ConditionType]
    property: str
    property_id: int
    field: str
    metric_id: str | None
    measurement: Literal["count", "sum", "rank", "priority"]
    measurement_filter: dict[str, Any]
    metric_filters: list[dict[str, Any]] | None
    timeframe_filter: dict[str, Any] | None
    filter: dict[str, Any]
    filters: list[dict[str, Any]]
    is_member: bool
    group_ids: list[str]
    in_region: bool
    region: Literal["european_union", "united_states"]
    country_code: str
    postal_code: str
    unit: Literal["kilometers", "miles"]
    dimension: Dimension
    predicted_channel: Literal["email", "push", "sms", "whatsapp"]
    consent: dict[str, Any]
    percentage: int
    object_type_id: str
    object_type_relationship_id: str
    custom_object_label: str
    permission: dict[str, Any]
    channel: Literal["whatsapp_marketing", "whatsapp_transactional"]
    output_config_id: int


class ConditionGroup(TypedDict):
    """Conditions, one of which must hold."""

    conditions: list[Condition]


class Conditions(TypedDict):
    """Groups that must all hold."""

    condition_groups: list[ConditionGroup]


class GroupTrigger(TypedDict, total=False):
    """Somebody joins a list or a segment."""

    type: Required[Literal["list", "segment"]]
    id: str | None


class MetricTrigger(TypedDict, total=False):
    """Somebody does something that a metric records."""

    type: Required[Literal["metric"]]
    id: str | None
    trigger_filter: Conditions | None


class DateTrigger(TypedDict, total=False):
    """A date in a profile or a custom object approaches."""

    type: Required[Literal["date"]]
    date_field_type: Required[Literal["profile-property", "custom-object"]]
    date_profile_property: str
    custom_object_label: str
    custom_object_property_id: int
    object_type_id: str
    object_type_relationship_id: str
    timedelta_unit_before_date: Literal["days", "weeks", "months"]
    timedelta_value_before_date: Required[int]
    recurrence_frequency: Literal["never", "weekly", "monthly", "annually"]
    timezone: TimeZone
    trigger_time: Required[str]
    trigger_days: list[Weekday] | None


class PriceDropTrigger(TypedDict, total=False):
    """Something that somebody viewed gets cheaper."""

    type: Required[Literal["price-drop"]]
    trigger_filter: Required[Conditions | None]
    price_drop_amount_value: Required[Number]
    price_drop_amount_unit: Literal["currency", "percent"]
    audience: Required[list[Literal["checkout-started", "viewed"]]]
    timeframe_days: int
    currency_type: Literal["usd"]


class LowInventoryTrigger(TypedDict, total=False):
    """Something that somebody viewed is nearly sold out."""

    type: Required[Literal["low-inventory"]]
    product_level: Required[Literal["product", "variant"]]
    trigger_filter: Required[Conditions | None]
    inventory_count: Required[int]
    audience: Required[list[Literal["added-to-cart", "checkout-started", "viewed"]]]
    timeframe_days: int


Trigger = Annotated[
    GroupTrigger | MetricTrigger | DateTrigger | PriceDropTrigger | LowInventoryTrigger, Field(discriminator="type")
]


class ReentryCriteria(TypedDict):
    """How long before somebody may enter the flow again."""

    duration: int
    unit: Literal["day", "hour", "week", "alltime"]


class Next(TypedDict, total=False):
    """The action that follows; None ends the flow."""

    next: str | None


class Branches(TypedDict):
    """The actions that follow if the condition holds, and if it does not."""

    next_if_true: str | None
    next_if_false: str | None


class Identity(TypedDict, total=False):
    """A new action has a temporary id, by which others refer to it; Klaviyo returns the real one."""

    id: str | None
    temporary_id: str | None


class UtmParam(TypedDict):
    """A parameter of every link."""

    param: str
    value: str


class FlowEmail(TypedDict, total=False):
    """An email in a flow; its body comes from a template."""

    id: str | None
    name: str | None
    from_email: str | None
    from_label: str | None
    reply_to_email: str | None
    cc_email: str | None
    bcc_email: str | None
    subject_line: str | None
    preview_text: str | None
    template_id: str | None
    smart_sending_enabled: bool
    transactional: bool
    add_tracking_params: bool
    custom_tracking_params: list[UtmParam] | None
    additional_filters: Conditions | None


class FlowSms(TypedDict, total=False):
    """A text message in a flow."""

    id: str | None
    name: str | None
    body: Required[str]
    image_id: str | None
    dynamic_image: str | None
    message_hierarchy: list[dict[str, Any] | str] | None
    shorten_links: bool
    include_contact_card: bool
    add_org_prefix: bool
    add_info_link: bool
    add_opt_out_language: bool
    smart_sending_enabled: bool
    sms_quiet_hours_enabled: bool
    transactional: bool
    add_tracking_params: bool
    custom_tracking_params: list[UtmParam] | None
    template_id: str | None
    additional_filters: Conditions | None


class FlowPushButton(TypedDict, total=False):
    """A button below a push notification."""

    label: Required[str]
    action_type: Required[Literal["deep_link", "dismiss", "open_app", "open_url"]]
    position: int | None
    url: str | None
    icon: str | None
    custom_action_id: str | None


class FlowPush(TypedDict, total=False):
    """A push notification in a flow."""

    id: str | None
    name: str | None
    title: str | None
    body: Required[str]
    sound: bool
    badge: bool
    badge_options: dict[str, Any]
    image_id: str | None
    dynamic_image: str | None
    video_asset_id: str | None
    on_open: Literal["home", "link", "open_url"]
    ios_link: str | None
    android_link: str | None
    web_url: str | None
    push_type: Literal["silent", "standard"] | None
    kv_pairs: dict[str, Any] | None
    conversion_metric_id: str | None
    smart_sending_enabled: bool
    additional_filters: Conditions | None
    action_buttons: list[FlowPushButton] | None


class FlowWhatsApp(TypedDict, total=False):
    """A WhatsApp message in a flow."""

    id: str | None
    name: str | None
    vendor_id: str | None
    smart_sending_enabled: bool
    transactional: bool
    add_tracking_params: bool
    additional_filters: Conditions | None


class FlowWebhook(TypedDict, total=False):
    """A request to a URL of yours."""

    id: str | None
    name: str | None
    url: Required[str | None]
    headers: dict[str, Any] | None
    body: str | None


class FlowAlert(TypedDict, total=False):
    """An email to your own team."""

    id: str | None
    name: str | None
    from_email: Required[str | None]
    from_label: Required[str | None]
    to_emails: Required[list[str]]
    subject_line: Required[str | None]
    template_id: str | None


class SendEmailData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: FlowEmail | None
    status: ActionStatus


class SendEmail(Identity, total=False):
    """Send an email."""

    type: Required[Literal["send-email"]]
    links: Next | None
    data: SendEmailData | None


class SendSmsData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: FlowSms | None
    status: ActionStatus


class SendSms(Identity, total=False):
    """Send a text message."""

    type: Required[Literal["send-sms"]]
    links: Next | None
    data: SendSmsData | None


class SendPushData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: FlowPush | None
    status: ActionStatus


class SendPush(Identity, total=False):
    """Send a push notification."""

    type: Required[Literal["send-mobile-push"]]
    links: Next | None
    data: SendPushData | None


class SendWhatsAppData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: FlowWhatsApp | None
    status: ActionStatus


class SendWhatsApp(Identity, total=False):
    """Send a WhatsApp message."""

    type: Required[Literal["send-whatsapp"]]
    links: Next | None
    data: SendWhatsAppData | None


class SendWebhookData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: Required[FlowWebhook]
    status: ActionStatus


class SendWebhook(Identity, total=False):
    """Call a URL of yours."""

    type: Required[Literal["send-webhook"]]
    links: Next | None
    data: SendWebhookData | None


class SendAlertData(TypedDict, total=False):
    """The message, and whether it is live."""

    message: Required[FlowAlert]
    status: ActionStatus


class SendAlert(Identity, total=False):
    """Alert your own team."""

    type: Required[Literal["send-internal-alert"]]
    links: Next | None
    data: SendAlertData | None


class Delay(TypedDict, total=False):
    """How long to wait, and at what time on which days it may end."""

    unit: Literal["minutes", "hours", "days"]
    value: Required[int]
    secondary_value: int | None
    timezone: TimeZone
    delay_until_time: str | None
    delay_until_weekdays: list[Weekday] | None


class TimeDelay(Identity, total=False):
    """Wait for a while."""

    type: Required[Literal["time-delay"]]
    links: Next | None
    data: Required[Delay]


class Countdown(TypedDict, total=False):
    """How long before the date the wait ends, and at what time on which days."""

    unit: Literal["days", "weeks", "months"]
    value: int
    timezone: TimeZone
    delay_until_time: str | None
    delay_until_weekdays: list[Weekday] | None


class CountdownDelay(Identity, total=False):
    """Wait until shortly before a date."""

    type: Required[Literal["countdown-delay"]]
    links: Next | None
    data: Required[Countdown]


class Target(TypedDict, total=False):
    """The time of day, and the days."""

    timezone: TimeZone
    target_time: str
    target_days: list[Weekday] | None


class TargetDate(Identity, total=False):
    """Wait for a day of the week."""

    type: Required[Literal["target-date"]]
    links: Next | None
    data: Required[Target]


class BackInStockDelay(Identity, total=False):
    """Wait until the product is back in stock."""

    type: Required[Literal["back-in-stock-delay"]]
    links: Next | None


class ProfileSplitData(TypedDict):
    """The condition."""

    profile_filter: Conditions | None


class ProfileSplit(Identity, total=False):
    """Split people by what is known about them."""

    type: Required[Literal["conditional-split"]]
    links: Branches | None
    data: ProfileSplitData | None


class TriggerSplitData(TypedDict, total=False):
    """The condition, and the trigger that it refers to."""

    trigger_filter: Required[Conditions | None]
    trigger_id: Required[str]
    trigger_type: Required[Literal["date", "list", "low-inventory", "metric", "price-drop", "scheduled", "segment"]]
    trigger_subtype: Literal["custom-object", "legacy-custom-object", "profile-property", "profile-trait"] | None


class TriggerSplit(Identity, total=False):
    """Split people by what triggered the flow."""

    type: Required[Literal["trigger-split"]]
    links: Branches | None
    data: TriggerSplitData | None


class OutputSplitData(TypedDict):
    """The condition."""

    action_output_filter: Conditions | None


class OutputSplit(Identity, total=False):
    """Split people by the output of an earlier action."""

    type: Required[Literal["action-output-split"]]
    links: Branches | None
    data: OutputSplitData | None


class Branch(TypedDict, total=False):
    """One way out of a split."""

    branch_id: Required[str]
    name: str | None
    order: int | None
    is_else: bool
    branch_filter: Conditions | None
    links: Next | None


class MultiSplitData(TypedDict):
    """The ways out of a split."""

    name: str
    branches: list[Branch]


class MultiSplit(Identity, total=False):
    """Split people in more than two ways."""

    type: Required[Literal["multi-branch-split"]]
    links: dict[str, Any] | None
    data: MultiSplitData | None


class ProfileOperation(TypedDict, total=False):
    """A property to set or delete."""

    operator: Required[Literal["create", "update", "delete"]]
    property_key: Required[str]
    property_type: Literal["string", "boolean", "numeric", "date", "list"]
    property_value: str | bool | int | float
    property_operation: Literal["add", "remove"] | None


class UpdateProfileData(TypedDict, total=False):
    """What is set."""

    profile_operations: Required[list[ProfileOperation]]
    status: ActionStatus


class UpdateProfile(Identity, total=False):
    """Update properties of the profile."""

    type: Required[Literal["update-profile"]]
    links: Next | None
    data: UpdateProfileData | None


class ListUpdateData(TypedDict, total=False):
    """The list, and whether people join or leave it."""

    name: Required[str]
    on_execution: Required[bool | None]
    list_id: Required[str | None]
    status: ActionStatus


class ListUpdate(Identity, total=False):
    """Add people to a list, or remove them."""

    type: Required[Literal["list-update"]]
    links: Next | None
    data: Required[ListUpdateData]


class Experiment(TypedDict, total=False):
    """Variations, and how the winner is chosen."""

    id: str | None
    name: str | None
    variations: Required[list[SendEmail | SendSms | SendPush | SendWhatsApp]]
    allocations: dict[str, Any] | None
    started: Timestamp | None
    winner_metric: WinnerMetric | None
    automatic_winner_selection_settings: dict[str, Any] | None


class ExperimentData(TypedDict, total=False):
    """The message, and the variations to try."""

    status: ActionStatus
    experiment_status: Literal["completed", "draft", "live"] | None
    main_action: Required[SendEmail | SendSms | SendPush | SendWhatsApp]
    current_experiment: Experiment | None


class MessageExperiment(Identity, total=False):
    """Try variations: of email and texts (`ab-test`), of push and WhatsApp (`content-experiment`)."""

    type: Required[Literal["ab-test", "content-experiment"]]
    links: Next | None
    data: Required[ExperimentData]


class InternalServiceData(TypedDict, total=False):
    """What to run."""

    service_configuration: dict[str, Any] | None
    status: ActionStatus


class InternalService(Identity, total=False):
    """Run something of Klaviyo's own."""

    type: Required[Literal["internal-service"]]
    links: Next | None
    data: InternalServiceData | None


class Code(Identity, total=False):
    """Run code that was written in Klaviyo."""

    type: Required[Literal["code"]]
    links: Next | None
    data: dict[str, Any] | None


FlowAction = Annotated[
    SendEmail
    | SendSms
    | SendPush
    | SendWhatsApp
    | SendWebhook
    | SendAlert
    | TimeDelay
    | CountdownDelay
    | TargetDate
    | BackInStockDelay
    | ProfileSplit
    | TriggerSplit
    | OutputSplit
    | MultiSplit
    | UpdateProfile
    | ListUpdate
    | MessageExperiment
    | InternalService
    | Code,
    Field(discriminator="type"),
]


class FlowDefinition(TypedDict, total=False):
    """A flow as data: what starts it, who may enter, and its actions, linked by their ids."""

    triggers: Required[list[Trigger]]
    profile_filter: Conditions | None
    actions: Required[list[FlowAction]]
    entry_action_id: Required[str | None]
    reentry_criteria: ReentryCriteria | None


def as_new(params: Params) -> None:
    """In a new flow every action is new: ids from a GET only say how actions refer to each other."""
    for each in params["definition"]["actions"]:
        _new(each)


def _new(step: dict[str, Any]) -> None:
    known = step.pop("id", None)
    if known is not None and step.get("temporary_id") is None:
        step["temporary_id"] = known
    data = step.get("data") or {}
    experiment = data.get("current_experiment") or {}
    for each in (data.get("message") or {}, experiment):
        each.pop("id", None)
    for each in (data.get("main_action"), *experiment.get("variations", ())):
        if each:
            _new(each)


@action("GET /api/flows", limits="3/s 60/m", scopes="flows:read")
def get_flows(
    *,
    filter: str | None = None,
    sort: FlowSort | None = None,
    include: list[Literal["flow-actions", "tags"]] | None = None,
    fields_flow_action: list[FlowActionField] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_tag: list[TagField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the flows of the account."""
    ...


@action("GET /api/flows/{id}", limits="3/s 60/m", scopes="flows:read")
def get_flow(
    *,
    id: str,
    include: list[Literal["flow-actions", "tags"]] | None = None,
    fields_flow_action: list[FlowActionField] | None = None,
    fields_flow: list[FlowWithDefinitionField] | None = None,
    fields_tag: list[TagField] | None = None,
    additional_fields_flow: list[Literal["definition"]] | None = None,
) -> Envelope:
    """Get a flow; with its definition if asked for."""
    ...


@action("GET /api/flows/{id}/tags", limits="3/s 60/m", scopes="flows:read tags:read", names_2024="get_flow_tags")
def get_tags_for_flow(*, id: str, fields_tag: list[TagField] | None = None) -> Envelope:
    """List the tags of a flow."""
    ...


@action(
    "GET /api/flows/{id}/relationships/tags",
    limits="3/s 60/m",
    scopes="flows:read tags:read",
    names_2024="get_flow_relationships_tags",
)
def get_tag_ids_for_flow(*, id: str) -> Envelope:
    """List the ids of the tags of a flow."""
    ...


@action("GET /api/flows/{id}/flow-actions", limits="3/s 60/m", scopes="flows:read", names_2024="get_flow_flow_actions")
def get_actions_for_flow(
    *,
    id: str,
    filter: str | None = None,
    sort: FlowActionSort | None = None,
    fields_flow_action: list[FlowActionField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the actions of a flow."""
    ...


@action(
    "GET /api/flows/{id}/relationships/flow-actions",
    limits="3/s 60/m",
    scopes="flows:read",
    names_2024="get_flow_relationships_flow_actions",
)
def get_action_ids_for_flow(
    *,
    id: str,
    filter: str | None = None,
    sort: FlowActionSort | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the ids of the actions of a flow."""
    ...


@action("GET /api/flow-actions/{id}", limits="3/s 60/m", scopes="flows:read")
def get_flow_action(
    *,
    id: str,
    include: list[Literal["flow", "flow-messages"]] | None = None,
    fields_flow_action: list[FlowActionField] | None = None,
    fields_flow_message: list[FlowMessageField] | None = None,
    fields_flow: list[FlowField] | None = None,
) -> Envelope:
    """Get an action of a flow."""
    ...


@action("GET /api/flow-actions/{id}/flow", limits="3/s 60/m", scopes="flows:read", names_2024="get_flow_action_flow")
def get_flow_for_flow_action(*, id: str, fields_flow: list[FlowField] | None = None) -> Envelope:
    """Get the flow that an action belongs to."""
    ...


@action(
    "GET /api/flow-actions/{id}/relationships/flow",
    limits="3/s 60/m",
    scopes="flows:read",
    names_2024="get_flow_action_relationships_flow",
)
def get_flow_id_for_flow_action(*, id: str) -> Envelope:
    """Get the id of the flow that an action belongs to."""
    ...


@action("GET /api/flow-actions/{id}/flow-messages", limits="3/s 60/m", scopes="flows:read")
def get_flow_action_messages(
    *,
    id: str,
    filter: str | None = None,
    sort: FlowMessageSort | None = None,
    fields_flow_message: list[FlowMessageField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the messages of an action."""
    ...


@action(
    "GET /api/flow-actions/{id}/relationships/flow-messages",
    limits="3/s 60/m",
    scopes="flows:read",
    names_2024="get_flow_action_relationships_messages",
)
def get_message_ids_for_flow_action(
    *,
    id: str,
    filter: str | None = None,
    sort: FlowMessageSort | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the ids of the messages of an action."""
    ...


@action("GET /api/flow-messages/{id}", limits="3/s 60/m", scopes="flows:read")
def get_flow_message(
    *,
    id: str,
    include: list[Literal["flow-action", "template"]] | None = None,
    fields_flow_action: list[FlowActionField] | None = None,
    fields_flow_message: list[FlowMessageField] | None = None,
    fields_template: list[TemplateSummaryField] | None = None,
) -> Envelope:
    """Get a message of a flow."""
    ...


@action(
    "GET /api/flow-messages/{id}/flow-action",
    limits="3/s 60/m",
    scopes="flows:read",
    names_2024="get_flow_message_action",
)
def get_action_for_flow_message(*, id: str, fields_flow_action: list[FlowActionField] | None = None) -> Envelope:
    """Get the action that a message belongs to."""
    ...


@action(
    "GET /api/flow-messages/{id}/relationships/flow-action",
    limits="3/s 60/m",
    scopes="flows:read",
    names_2024="get_flow_message_relationships_action",
)
def get_action_id_for_flow_message(*, id: str) -> Envelope:
    """Get the id of the action that a message belongs to."""
    ...


@action(
    "GET /api/flow-messages/{id}/template",
    limits="3/s 60/m",
    scopes="templates:read",
    names_2024="get_flow_message_template",
)
def get_template_for_flow_message(*, id: str, fields_template: list[TemplateSummaryField] | None = None) -> Envelope:
    """Get the template of a message."""
    ...


@action(
    "GET /api/flow-messages/{id}/relationships/template",
    limits="3/s 60/m",
    scopes="templates:read",
    names_2024="get_flow_message_relationships_template",
)
def get_template_id_for_flow_message(*, id: str) -> Envelope:
    """Get the id of the template of a message."""
    ...


@action(
    "POST /api/flows",
    type="flow",
    limits="1/s 15/m 100/d",
    scopes="flows:write",
    repeat=never("the flows created since the call, by their name"),
    prepare=as_new,
)
def create_flow(
    *,
    name: str,
    definition: FlowDefinition,
    fields_flow: list[FlowWithDefinitionField] | None = None,
    additional_fields_flow: list[Literal["definition"]] | None = None,
) -> Envelope:
    """Create a flow from a definition.

    New actions have a `temporary_id` and lead to each other by it; the answer has the ids that Klaviyo gave them. Of a
    definition that `get_flow` has given, the ids of the actions are taken for temporary ones.
    Names need not be unique, so that a repeat would make a second flow.
    """
    ...


@action("PATCH /api/flows/{id}", type="flow", limits="3/s 60/m", scopes="flows:write", repeat=SAFE)
def update_flow(
    *, id: str, status: Literal["draft", "manual", "live"], fields_flow: list[FlowField] | None = None
) -> Envelope:
    """Set a flow, and all its actions, to draft, manual or live."""
    ...


@action("DELETE /api/flows/{id}", limits="3/s 60/m", scopes="flows:write", repeat=SAFE)
def delete_flow(*, id: str) -> Envelope:
    """Delete a flow."""
    ...


@action("PATCH /api/flow-actions/{id}", type="flow-action", limits="3/s 60/m", scopes="flows:write", repeat=SAFE)
def update_flow_action(
    *, id: str, definition: FlowAction, fields_flow_action: list[FlowActionField] | None = None
) -> Envelope:
    """Update an action of a flow.

    The definition is replaced as a whole.
    """
    ...


@action("DELETE /api/flow-actions/{id}", limits="3/s 60/m", scopes="flows:write", repeat=SAFE)
def delete_flow_action(*, id: str) -> Envelope:
    """Delete an action of a flow."""
    ...
