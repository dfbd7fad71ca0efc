"""Segments: groups of profiles that a definition describes and Klaviyo keeps up to date."""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Discriminator
from typing_extensions import TypedDict

from tasks.shapes import FlowField, MemberField, ProfileExtra, SegmentField, TagField, Timestamp, UpTo10, UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never

# The grammar of definitions: groups that must all hold, of conditions one of which must hold.


class DateFilter(TypedDict, total=False):
    """When. ``after`` takes a ``date``, ``between`` a ``start`` and an ``end``, ``in-the-last`` a ``quantity``."""

    type: Required[Literal["date"]]
    operator: Required[
        Literal[
            "after",
            "before",
            "between-static",
            "at-least",
            "in-the-last",
            "in-the-next",
            "between",
            "anniversary",
            "anniversary-month",
            "anniversary-last",
            "anniversary-next",
            "calendar-month",
            "alltime",
        ]
    ]
    date: Timestamp
    start: int | Timestamp
    end: int | Timestamp
    unit: Literal["day", "hour", "week"]
    quantity: int
    value: int


class StringFilter(TypedDict):
    """A string, or with ``in`` one of several."""

    type: Literal["string"]
    operator: Literal[
        "equals",
        "not-equals",
        "contains",
        "not-contains",
        "starts-with",
        "not-starts-with",
        "ends-with",
        "not-ends-with",
        "regex",
        "nregex",
        "in",
        "not-in",
        "phone-country-code-in",
        "phone-country-code-not-in",
    ]
    value: str | list[str] | None


class NumericFilter(TypedDict, total=False):
    """A number, or with ``between`` a ``start`` and an ``end``."""

    type: Required[Literal["numeric"]]
    operator: Required[
        Literal[
            "equals",
            "not-equals",
            "greater-than",
            "greater-than-or-equal",
            "less-than",
            "less-than-or-equal",
            "between",
        ]
    ]
    value: int | float
    start: int | float
    end: int | float


class BooleanFilter(TypedDict):
    """Yes or no."""

    type: Literal["boolean"]
    operator: Literal["equals"]
    value: bool


class ListFilter(TypedDict):
    """What an array holds, or how much."""

    type: Literal["list"]
    operator: Literal[
        "contains",
        "not-contains",
        "contains-all",
        "contains-any",
        "not-contains-all",
        "not-contains-any",
        "contains-substring",
        "not-contains-substring",
        "length-equals",
        "length-greater-than",
        "length-greater-than-or-equal",
        "length-less-than",
        "length-less-than-or-equal",
    ]
    value: int | str | list[str] | None


class ExistenceFilter(TypedDict):
    """Whether there is a value at all."""

    type: Literal["existence"]
    operator: Literal["is-set", "not-set"]


Filter = Annotated[
    DateFilter | StringFilter | NumericFilter | BooleanFilter | ListFilter | ExistenceFilter, Discriminator("type")
]


#: What Klaviyo asks of a property of an event: no date.
EventFilter = Annotated[
    StringFilter | NumericFilter | BooleanFilter | ListFilter | ExistenceFilter, Discriminator("type")
]


class PropertyFilter(TypedDict, total=False):
    """What a property of an event must be."""

    property: Required[str]
    filter: EventFilter | None


class GroupMembership(TypedDict, total=False):
    """On one of these lists or in one of these segments, or not."""

    type: Required[Literal["profile-group-membership"]]
    is_member: Required[bool]
    group_ids: Required[list[str]]
    timeframe_filter: DateFilter | None


class MetricCondition(TypedDict, total=False):
    """How often somebody did something, or for how much."""

    type: Required[Literal["profile-metric"]]
    metric_id: Required[str]
    measurement: Required[Literal["count", "sum"]]
    measurement_filter: Required[NumericFilter]
    timeframe_filter: Required[DateFilter]
    metric_filters: list[PropertyFilter] | None


class FunnelStep(TypedDict, total=False):
    """What somebody did, or did not do, along the way."""

    metric_exists: Required[bool]
    metric_id: Required[str]
    metric_filters: list[PropertyFilter] | None


class FunnelCondition(TypedDict, total=False):
    """What somebody did in this order."""

    type: Required[Literal["profile-metric-funnel"]]
    timeframe_filter: Required[DateFilter]
    completion_window_seconds: (
        Literal[
            "HOURS_1",
            "DAYS_1",
            "DAYS_3",
            "DAYS_5",
            "WEEKS_1",
            "DAYS_30",
            "DAYS_90",
            "DAYS_180",
            "YEARS_1",
        ]
        | None
    )
    steps: Required[list[FunnelStep]]


ConsentMethod = Literal[
    "api", "back_in_stock", "bigcommerce", "bulk_remove", "campaign_monitor", "carrier_deactivation", "checkout",
    "constant_contact", "data_warehouse_import", "exact_target", "facebook", "failed_age_gate", "form",
    "inbound_message", "integration", "mad_mimi", "magento_two", "mailbox_provider", "manual_add", "manual_import",
    "manual_remove", "message_blocked", "netsuite", "one_click_unsubscribe", "preference_page",
    "profile_modification", "provided_landline", "provided_no_age", "sftp", "shopify", "social_instagram_message",
    "spam_complaint", "square", "wix", "woocommerce",
]  # fmt: skip


class ConsentFilter(TypedDict, total=False):
    """When, how and from where a consent came or went."""

    field: Required[
        Literal[
            "is_double_opt_in",
            "status_date",
            "custom_source",
            "method",
            "bounce_date",
            "manual_suppression_date",
            "invalid_email_date",
            "is_rcs_capable",
            "effective_date",
            "recorded_date",
            "subscribe_method",
        ]
    ]
    method: ConsentMethod
    filter: Annotated[DateFilter | StringFilter | BooleanFilter | ExistenceFilter, Discriminator("type")] | None


class ConsentStatus(TypedDict, total=False):
    """Whether there is consent, and what more is known of it."""

    subscription: Required[Literal["any", "subscribed", "unsubscribed", "never_subscribed"]]
    filters: list[ConsentFilter] | None


class Consent(TypedDict):
    """The consent to one channel."""

    channel: Literal["email", "sms", "push"]
    can_receive_marketing: bool
    consent_status: ConsentStatus


class ConsentCondition(TypedDict):
    """Who may receive messages."""

    type: Literal["profile-marketing-consent"]
    consent: Consent


class Permission(TypedDict, total=False):
    """Whether a channel reaches somebody, and what more is known of it."""

    reachable_status: Required[
        Literal[
            "explicitly_reachable",
            "implicitly_reachable",
            "implicitly_or_explicitly_reachable",
            "explicitly_unreachable",
            "implicitly_unreachable",
            "implicitly_or_explicitly_unreachable",
        ]
    ]
    filters: list[ConsentFilter]


class PermissionCondition(TypedDict):
    """Who may receive WhatsApp messages."""

    type: Literal["profile-permissions"]
    channel: Literal["whatsapp_marketing", "whatsapp_transactional"]
    permission: Permission


class DistanceCondition(TypedDict):
    """How far somebody lives from a postal code."""

    type: Literal["profile-postal-code-distance"]
    country_code: str
    postal_code: str
    unit: Literal["kilometers", "miles"]
    filter: NumericFilter


class PropertyCondition(TypedDict):
    """What a property of the profile must be."""

    type: Literal["profile-property"]
    property: str
    filter: Filter


class RegionCondition(TypedDict):
    """Whether somebody lives in a region with its own privacy law."""

    type: Literal["profile-region"]
    in_region: bool
    region: Literal["european_union", "united_states"]


class PredictiveCondition(TypedDict, total=False):
    """What Klaviyo predicts about somebody."""

    type: Required[Literal["profile-predictive-analytics"]]
    dimension: Required[
        Literal[
            "expected_date_of_next_purchase",
            "average_days_between_orders",
            "average_order_value",
            "churn_probability",
            "historic_clv",
            "historic_number_of_orders",
            "predicted_clv",
            "predicted_number_of_orders",
            "total_clv",
            "predicted_gender",
            "channel_affinity",
        ]
    ]
    measurement: Literal["priority", "rank"]
    predicted_channel: Literal["email", "push", "sms", "whatsapp"]
    filter: Required[Annotated[DateFilter | StringFilter | NumericFilter, Discriminator("type")]]


class ObjectFilter(TypedDict):
    """What a property of a custom object must be."""

    property_id: int
    filter: Filter


class ObjectCondition(TypedDict):
    """How many custom objects of a type somebody has."""

    type: Literal["profile-has-custom-object"]
    object_type_id: str
    object_type_relationship_id: str
    filter: NumericFilter
    filters: list[ObjectFilter]


Condition = Annotated[
    GroupMembership
    | MetricCondition
    | FunnelCondition
    | ConsentCondition
    | PermissionCondition
    | DistanceCondition
    | PropertyCondition
    | RegionCondition
    | PredictiveCondition
    | ObjectCondition,
    Discriminator("type"),
]


class ConditionGroup(TypedDict):
    """Conditions of which one must hold."""

    conditions: list[Condition]


class Definition(TypedDict):
    """Who is in a segment: those for whom at least one condition of every group holds."""

    condition_groups: list[ConditionGroup]


@action("GET /api/segments", limits="75/s 750/m", scopes="segments:read")
def get_segments(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created", "id", "-id", "name", "-name", "updated", "-updated"] | None = None,
    include: list[Literal["flow-triggers", "tags"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_segment: list[SegmentField] | None = None,
    fields_tag: list[TagField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo10 | None = None,
) -> Envelope:
    """List the account's segments, at most ten a page."""
    ...


@action(
    "GET /api/segments/{id}",
    limits="75/s 750/m",
    scopes="segments:read",
    extra={"additional_fields_segment=profile_count": "1/s 15/m"},
)
def get_segment(
    *,
    id: str,
    include: list[Literal["flow-triggers", "tags"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_segment: list[Literal[SegmentField, "profile_count"]] | None = None,
    fields_tag: list[TagField] | None = None,
    additional_fields_segment: list[Literal["profile_count"]] | None = None,
) -> Envelope:
    """Get a segment.

    The number of its profiles costs a second, much smaller budget.
    """
    ...


@action(
    "GET /api/segments/{id}/profiles",
    limits="75/s 750/m",
    scopes="profiles:read segments:read",
    names_2024="get_segment_profiles",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
)
def get_profiles_for_segment(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["joined_group_at", "-joined_group_at"] | None = None,
    fields_profile: list[MemberField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the profiles in a segment by the time they joined.

    A filter on `joined_group_at` finds who came, never who left: for that, read the whole segment. Predictive
    analytics draw on a smaller budget, which every action that offers them shares.
    """
    ...


@action(
    "GET /api/segments/{id}/relationships/profiles",
    limits="75/s 750/m",
    scopes="profiles:read segments:read",
    names_2024="get_segment_relationships_profiles",
)
def get_profile_ids_for_segment(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["joined_group_at", "-joined_group_at"] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the profiles in a segment by the time they joined."""
    ...


@action(
    "GET /api/segments/{id}/tags", limits="3/s 60/m", scopes="segments:read tags:read", names_2024="get_segment_tags"
)
def get_tags_for_segment(*, id: str, fields_tag: list[TagField] | None = None) -> Envelope:
    """List the tags of a segment."""
    ...


@action(
    "GET /api/segments/{id}/relationships/tags",
    limits="3/s 60/m",
    scopes="segments:read tags:read",
    names_2024="get_segment_relationships_tags",
)
def get_tag_ids_for_segment(*, id: str) -> Envelope:
    """List the ids of the tags of a segment."""
    ...


@action("GET /api/segments/{id}/flow-triggers", limits="3/s 60/m", scopes="flows:read segments:read")
def get_flows_triggered_by_segment(*, id: str, fields_flow: list[FlowField] | None = None) -> Envelope:
    """List the flows that joining a segment triggers."""
    ...


@action("GET /api/segments/{id}/relationships/flow-triggers", limits="3/s 60/m", scopes="flows:read segments:read")
def get_ids_for_flows_triggered_by_segment(*, id: str) -> Envelope:
    """List the ids of the flows that joining a segment triggers."""
    ...


@action(
    "POST /api/segments",
    type="segment",
    limits="1/s 15/m 100/d",
    scopes="segments:write",
    repeat=never("the account's segments: one of this name may be there already"),
)
def create_segment(
    *,
    name: str,
    definition: Definition,
    is_starred: bool | None = None,
    fields_segment: list[SegmentField] | None = None,
) -> Envelope:
    """Create a segment.

    Klaviyo works on five new segments at a time at most. Names are not unique: asking twice makes two segments.
    """
    ...


@action("PATCH /api/segments/{id}", type="segment", limits="1/s 15/m 100/d", scopes="segments:write", repeat=SAFE)
def update_segment(
    *,
    id: str,
    name: str | None = None,
    definition: Definition | None = None,
    is_starred: bool | None = None,
    is_active: bool | None = None,
    fields_segment: list[SegmentField] | None = None,
) -> Envelope:
    """Rename a segment, star it, switch it on or off, or replace its definition."""
    ...


@action("DELETE /api/segments/{id}", limits="3/s 60/m", scopes="segments:write", repeat=SAFE)
def delete_segment(*, id: str) -> Envelope:
    """Delete a segment. Its profiles stay."""
    ...
