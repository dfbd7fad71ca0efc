"""What several sections share: the types of a person, a device, a consent, and the values that Klaviyo accepts.

Everything here travels as Klaviyo spells it unless `At`, `Resource` or `Linkage` says where it goes.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, Field, PlainValidator
from typing_extensions import TypedDict

from tasks.rules import coordinate, day, email, moment, phone_number
from worker.api.wire import At, Filled, Linkage, Linkages

# Values with a format of their own. A check here names the parameter and never repeats the value.

#: A point in time: a datetime with a time zone, or ISO 8601 text with one. Travels as ISO 8601 text.
Timestamp = Annotated[datetime | str, PlainValidator(moment)]
#: A calendar day: a date, or ``YYYY-MM-DD``.
Day = Annotated[date | str, PlainValidator(day)]
#: An email address, as far as its form can tell.
Email = Annotated[str, AfterValidator(email)]
#: A phone number in E.164: ``+`` and 8 to 15 digits.
PhoneNumber = Annotated[str, AfterValidator(phone_number)]
#: Degrees, as a number or as text.
Coordinate = Annotated[float | str, PlainValidator(coordinate)]
#: An amount: any number that JSON can carry.
Number = Annotated[float, Field(allow_inf_nan=False)]

# Page sizes: what one page of a list may hold.

UpTo10 = Annotated[int, Field(ge=1, le=10)]
UpTo20 = Annotated[int, Field(ge=1, le=20)]
UpTo25 = Annotated[int, Field(ge=1, le=25)]
UpTo50 = Annotated[int, Field(ge=1, le=50)]
UpTo100 = Annotated[int, Field(ge=1, le=100)]
UpTo1000 = Annotated[int, Field(ge=1, le=1000)]

# Relationships: an id for the caller, resource linkage on the wire.

ListId = Annotated[str, At("data.relationships.list.data"), Linkage("list")]
SegmentId = Annotated[str, At("data.relationships.segment.data"), Linkage("segment")]
ListIds = Annotated[list[str], At("data.relationships.lists.data"), Linkages("list")]
VariantId = Annotated[str, At("data.relationships.variant.data"), Linkage("catalog-variant")]
#: Members to add to a list or remove from it; the whole body of the request.
MemberIds = Annotated[list[str], Field(max_length=1000), At("data"), Linkages("profile")]

# Sparse fieldsets (`fields[…]`) and fields sent only on request (`additional-fields[…]`).

PersonField = Literal[
    "created", "email", "external_id", "first_name", "id", "image", "last_event_date", "last_name", "locale",
    "location", "location.address1", "location.address2", "location.city", "location.country", "location.ip",
    "location.latitude", "location.longitude", "location.region", "location.timezone", "location.zip", "organization",
    "phone_number", "properties", "title", "updated",
]  # fmt: skip
ProfileField = Literal[
    PersonField, "predictive_analytics", "predictive_analytics.average_days_between_orders",
    "predictive_analytics.average_order_value", "predictive_analytics.churn_probability",
    "predictive_analytics.expected_date_of_next_order", "predictive_analytics.historic_clv",
    "predictive_analytics.historic_number_of_orders", "predictive_analytics.predicted_clv",
    "predictive_analytics.predicted_number_of_orders", "predictive_analytics.ranked_channel_affinity",
    "predictive_analytics.total_clv", "subscriptions", "subscriptions.email", "subscriptions.email.marketing",
    "subscriptions.email.marketing.can_receive_email_marketing", "subscriptions.email.marketing.consent",
    "subscriptions.email.marketing.consent_timestamp", "subscriptions.email.marketing.custom_method_detail",
    "subscriptions.email.marketing.double_optin", "subscriptions.email.marketing.last_updated",
    "subscriptions.email.marketing.list_suppressions", "subscriptions.email.marketing.method",
    "subscriptions.email.marketing.method_detail", "subscriptions.email.marketing.suppression",
    "subscriptions.email.open_tracking", "subscriptions.email.open_tracking.can_receive",
    "subscriptions.email.open_tracking.consent", "subscriptions.email.open_tracking.consent_timestamp",
    "subscriptions.email.open_tracking.created_timestamp", "subscriptions.email.open_tracking.last_updated",
    "subscriptions.email.open_tracking.metadata", "subscriptions.email.open_tracking.valid_until",
    "subscriptions.mobile_push", "subscriptions.mobile_push.marketing",
    "subscriptions.mobile_push.marketing.can_receive_push_marketing", "subscriptions.mobile_push.marketing.consent",
    "subscriptions.mobile_push.marketing.consent_timestamp", "subscriptions.sms", "subscriptions.sms.marketing",
    "subscriptions.sms.marketing.can_receive_sms_marketing", "subscriptions.sms.marketing.consent",
    "subscriptions.sms.marketing.consent_timestamp", "subscriptions.sms.marketing.last_updated",
    "subscriptions.sms.marketing.method", "subscriptions.sms.marketing.method_detail",
    "subscriptions.sms.transactional", "subscriptions.sms.transactional.can_receive_sms_transactional",
    "subscriptions.sms.transactional.consent", "subscriptions.sms.transactional.consent_timestamp",
    "subscriptions.sms.transactional.last_updated", "subscriptions.sms.transactional.method",
    "subscriptions.sms.transactional.method_detail", "subscriptions.whatsapp",
    "subscriptions.whatsapp.conversational", "subscriptions.whatsapp.conversational.can_receive",
    "subscriptions.whatsapp.conversational.consent", "subscriptions.whatsapp.conversational.consent_timestamp",
    "subscriptions.whatsapp.conversational.created_timestamp", "subscriptions.whatsapp.conversational.last_updated",
    "subscriptions.whatsapp.conversational.metadata", "subscriptions.whatsapp.conversational.phone_number",
    "subscriptions.whatsapp.conversational.valid_until", "subscriptions.whatsapp.marketing",
    "subscriptions.whatsapp.marketing.can_receive", "subscriptions.whatsapp.marketing.consent",
    "subscriptions.whatsapp.marketing.consent_timestamp", "subscriptions.whatsapp.marketing.created_timestamp",
    "subscriptions.whatsapp.marketing.last_updated", "subscriptions.whatsapp.marketing.metadata",
    "subscriptions.whatsapp.marketing.phone_number", "subscriptions.whatsapp.marketing.valid_until",
    "subscriptions.whatsapp.transactional", "subscriptions.whatsapp.transactional.can_receive",
    "subscriptions.whatsapp.transactional.consent", "subscriptions.whatsapp.transactional.consent_timestamp",
    "subscriptions.whatsapp.transactional.created_timestamp", "subscriptions.whatsapp.transactional.last_updated",
    "subscriptions.whatsapp.transactional.metadata", "subscriptions.whatsapp.transactional.phone_number",
    "subscriptions.whatsapp.transactional.valid_until",
]  # fmt: skip
MemberField = Literal[ProfileField, "joined_group_at"]
ListField = Literal["created", "id", "name", "opt_in_process", "updated"]
SegmentField = Literal[
    "created", "definition", "definition.condition_groups", "id", "is_active", "is_processing", "is_starred", "name",
    "updated",
]  # fmt: skip
TagField = Literal["id", "name"]
FlowField = Literal["archived", "created", "id", "name", "status", "trigger_type", "updated"]
MetricField = Literal["created", "id", "integration", "name", "updated"]
ProfileExtra = Literal["subscriptions", "predictive_analytics"]

# People.


class Location(TypedDict, total=False):
    """Where somebody lives. ``ip`` lets Klaviyo derive the rest."""

    address1: str | None
    address2: str | None
    city: str | None
    country: str | None
    latitude: Coordinate | None
    longitude: Coordinate | None
    region: str | None
    zip: str | None
    timezone: str | None
    ip: str | None


class PatchProperties(TypedDict, total=False):
    """Edits of single custom properties: add to an array, remove from an array, remove keys."""

    append: dict[str, Any] | None
    unappend: dict[str, Any] | None
    unset: list[str] | str | None


class PatchIdentifiers(TypedDict, total=False):
    """Edits of a person's further identifiers."""

    append: dict[str, Any]
    unappend: dict[str, Any]


class Identified(TypedDict, total=False):
    """What identifies a person, checked before it is sent."""

    id: str | None
    email: Email | None
    phone_number: PhoneNumber | None
    external_id: str | None


class IdentifiedAsIs(TypedDict, total=False):
    """What identifies a person, unchecked: in a bulk request Klaviyo decides."""

    id: str | None
    email: str | None
    phone_number: str | None
    external_id: str | None


class Person(TypedDict, total=False):
    """What is known about a person besides the identifiers."""

    _kx: str | None
    first_name: str | None
    last_name: str | None
    organization: str | None
    locale: str | None
    title: str | None
    image: str | None
    location: Location | None
    properties: dict[str, Any] | None


class PatchedInside(TypedDict, total=False):
    """The edits, for requests that have them among the attributes."""

    patch_properties: Annotated[PatchProperties | None, At("attributes.meta.patch_properties")]
    patch_identifiers: Annotated[PatchIdentifiers | None, At("attributes.meta.patch_identifiers")]


class PatchedBeside(TypedDict, total=False):
    """The edits, for requests that have them beside the attributes."""

    patch_properties: Annotated[PatchProperties | None, At("meta.patch_properties")]
    patch_identifiers: Annotated[PatchIdentifiers | None, At("meta.patch_identifiers")]


class TokenProfile(Identified, Person, PatchedInside, total=False):
    """Whose device or subscription it is."""


class EventProfile(TokenProfile, total=False):
    """Whose event it is; a new profile is created if need be."""

    anonymous_id: str | None


# Events.


class Event(TypedDict, total=False):
    """One event of a bulk request."""

    metric: Required[Annotated[str, Field(max_length=127), At("attributes.metric.data.attributes.name", type="metric")]]
    service: Annotated[str | None, At("attributes.metric.data.attributes.service")]
    properties: Annotated[dict[str, Any], Filled()]
    time: Timestamp | None
    value: Number | None
    value_currency: str | None
    unique_id: str | None
    backfill: bool | None


#: What happened: the metric's name; a new metric is created with its first event.
Metric = Annotated[str, Field(max_length=127), At("data.attributes.metric.data.attributes.name", type="metric")]
#: For Klaviyo's own integrations; ``api`` if left out.
MetricService = Annotated[str, At("data.attributes.metric.data.attributes.service")]


# Devices and consent.

Platform = Literal["android", "ios"]
Vendor = Literal["apns", "fcm"]
Enablement = Literal["AUTHORIZED", "DENIED", "NOT_DETERMINED", "PROVISIONAL", "UNAUTHORIZED"]
Background = Literal["AVAILABLE", "DENIED", "RESTRICTED"]


class DeviceMetadata(TypedDict, total=False):
    """The device and the app that a push token belongs to."""

    device_id: str | None
    klaviyo_sdk: Literal["android", "flutter", "flutter_community", "react_native", "swift"] | None
    sdk_version: str | None
    device_model: str | None
    os_name: Literal["android", "ios", "ipados", "macos", "tvos"] | None
    os_version: str | None
    manufacturer: str | None
    app_name: str | None
    app_version: str | None
    app_build: str | None
    app_id: str | None
    environment: Literal["debug", "release"] | None


class PushToken(TypedDict, total=False):
    """A device that receives push messages."""

    token: Required[str]
    platform: Required[Platform]
    vendor: Required[Vendor]
    enablement_status: Enablement | None
    background: Background | None
    device_metadata: DeviceMetadata | None


class Subscribed(TypedDict, total=False):
    """Consent given, now or at ``consented_at`` in the past."""

    consent: Required[Literal["SUBSCRIBED"]]
    consented_at: Timestamp | None


class TrackingSubscribed(TypedDict):
    """Consent to tracking of opened messages."""

    consent: Literal["SUBSCRIBED"]


class EmailSubscription(TypedDict, total=False):
    """Consent to email."""

    marketing: Subscribed | None
    open_tracking: TrackingSubscribed | None


class MessageSubscription(TypedDict, total=False):
    """Consent to SMS or WhatsApp messages."""

    marketing: Subscribed | None
    transactional: Subscribed | None


class PushSubscription(TypedDict, total=False):
    """Consent to push messages, and the devices they go to."""

    marketing: Required[Subscribed]
    tokens: list[PushToken] | None
    anonymous_id: str | None


class Subscriptions(TypedDict, total=False):
    """Consent by channel; a channel that is left out stays as it is."""

    email: EmailSubscription | None
    sms: MessageSubscription | None
    whatsapp: MessageSubscription | None
    push: PushSubscription | None
