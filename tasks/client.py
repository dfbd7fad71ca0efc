"""Client: what a shop's own pages and apps may request, with the public company id instead of a key.

Left out, ``company_id`` is the account's. Klaviyo accepts every write and never reports the outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from tasks.reviews import ReviewSort
from tasks.rules import IDENTIFIERS, KNOWN, any_of, edits, event, events, identified, stamp, stamp_all
from tasks.shapes import (
    Background,
    DeviceMetadata,
    Email,
    Enablement,
    Event,
    EventProfile,
    Identified,
    ListId,
    Location,
    Metric,
    MetricService,
    Number,
    PatchedBeside,
    PatchIdentifiers,
    PatchProperties,
    Person,
    PhoneNumber,
    Platform,
    Subscriptions,
    Timestamp,
    TokenProfile,
    UpTo100,
    VariantId,
    Vendor,
)
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import never, safe, with_key
from worker.api.seed_names import Dropped
from worker.api.wire import At, Header, Linkage, NotNull, Resource, Resources

PublicReviewField = Literal[
    "author", "content", "created", "id", "images", "product", "product.external_id", "product.image_url",
    "product.name", "product.url", "public_reply", "public_reply.author", "public_reply.content",
    "public_reply.updated", "rating", "review_type", "smart_quote", "status", "status.rejection_reason",
    "status.rejection_reason.reason", "status.rejection_reason.status_explanation", "status.value", "title", "updated",
    "verified",
]  # fmt: skip
ReviewValuesReportField = Literal["id", "results"]
IncentiveType = Literal[
    "coupon_or_discount", "employee_review", "free_product", "loyalty_points", "other", "paid_promotion",
    "sweepstakes_entry",
]  # fmt: skip
GeofenceField = Literal["id", "latitude", "longitude", "radius"]
IpAllowlistField = Literal["created", "id", "prefixes", "sync_token"]
#: Why `anonymous_id` is accepted and left out.
GONE = Dropped("Klaviyo removed anonymous_id from this operation in revision 2025-10-15")


class ClientEventProfile(Identified, Person, PatchedBeside, total=False):
    """Whose events they are; a new profile is created if need be."""

    anonymous_id: str | None


class SubscriptionProfile(TokenProfile, total=False):
    """Who gives consent, and to what."""

    subscriptions: Subscriptions | None


class UnregisteredProfile(Identified, Person, PatchedBeside, total=False):
    """Whose device it was."""


def of_one_profile(params: Params) -> Iterator[tuple[str, Any, Any]]:
    """The events of a bulk request, all of one profile."""
    yield "events", params["profile"], params["events"]


def stamp_events(params: Params, key: str | None) -> None:
    """Give every event the id and the time that it lacks."""
    stamp_all(params["events"], key)


class ReviewedProduct(TypedDict):
    """The product as the shop knows it."""

    external_id: str
    integration_key: Literal["shopify", "woocommerce"]


class CustomAnswer(TypedDict):
    """Answers to a question of the shop's own."""

    id: str
    answers: list[str]


@action("GET /client/reviews", limits="10/s 150/m")
def get_client_reviews(
    *,
    filter: str | None = None,
    sort: ReviewSort | None = None,
    fields_review: list[PublicReviewField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
    company_id: str | None = None,
) -> Envelope:
    """List reviews, for a shop's own pages."""
    ...


@action("GET /client/review-values-reports", limits="10/s 150/m")
def get_client_review_values_reports(
    *,
    group_by: Literal["company_id", "product_id"],
    statistics: list[str],
    timeframe: Literal["all_time", "last_30_days", "last_365_days", "last_90_days"],
    filter: str | None = None,
    fields_review_values_report: list[ReviewValuesReportField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Report the ratings of products, or of all of them."""
    ...


@action("GET /client/geofences", limits="3/s 60/m")
def get_client_geofences(
    *,
    filter: Annotated[str, Header("X-Klaviyo-API-Filters")] | None = None,
    fields_geofence: list[GeofenceField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
    company_id: str | None = None,
) -> Envelope:
    """List the geofences of the account.

    With a filter such as `and(equals(lat,40.7128),equals(lng,-74.0060))`, the nearest come first. It travels in a
    header: a place is a person's data.
    """
    ...


@action("GET /client/ip-allowlists/{id}", limits="75/s 750/m")
def get_client_ip_allowlist(
    *, id: str, fields_ip_allowlist: list[IpAllowlistField] | None = None, company_id: str | None = None
) -> Envelope:
    """Get the addresses from which Klaviyo calls integrations.

    The id is `integration-egress`; there is no other.
    """
    ...


@action(
    "POST /client/profiles",
    type="profile",
    limits="350/s 3500/m",
    scopes="profiles:write",
    repeat=with_key("identifiers", unless=edits),
    checks=(any_of(*IDENTIFIERS),),
)
def create_client_profile(
    *,
    id: Annotated[str, At("data.id")] | None = None,
    email: Email | None = None,
    phone_number: PhoneNumber | None = None,
    external_id: str | None = None,
    anonymous_id: str | None = None,
    _kx: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    organization: str | None = None,
    locale: str | None = None,
    title: str | None = None,
    image: str | None = None,
    location: Location | None = None,
    properties: dict[str, Any] | None = None,
    patch_properties: Annotated[PatchProperties, At("data.meta.patch_properties")] | None = None,
    patch_identifiers: Annotated[PatchIdentifiers, At("data.meta.patch_identifiers")] | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Create or update a profile, as a shop's pages would.

    Identifiers of a profile that exists do not change, though Klaviyo accepts the request.
    """
    ...


@action(
    "POST /client/events",
    type="event",
    limits="350/s 3500/m",
    scopes="events:write",
    repeat=with_key("unique_id", unless=edits),
    checks=(identified("profile", *IDENTIFIERS), event),
    stamp=stamp,
)
def create_client_event(
    *,
    metric: Metric,
    profile: Annotated[EventProfile, At("data.attributes.profile.data"), Resource("profile")],
    properties: Annotated[dict[str, Any] | None, NotNull()] = None,
    time: Timestamp | None = None,
    value: Number | None = None,
    value_currency: str | None = None,
    unique_id: str | None = None,
    backfill: bool | None = None,
    service: MetricService | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Create an event, as a shop's pages would.

    `unique_id` and `time` are set when left out, so that sending it again adds nothing.
    """
    ...


@action(
    "POST /client/event-bulk-create",
    type="event-bulk-create",
    limits="10/s 150/m",
    scopes="events:write",
    repeat=with_key("unique_id of every event", unless=edits),
    checks=(identified("profile", *IDENTIFIERS), events(of_one_profile)),
    stamp=stamp_events,
)
def bulk_create_client_events(
    *,
    profile: Annotated[ClientEventProfile, At("data.attributes.profile.data"), Resource("profile")],
    events: Annotated[list[Event], At("data.attributes.events.data"), Resources("event")],
    backfill: bool | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Create up to 1,000 events of one profile, as a shop's pages would.

    What lacks a `unique_id` or a `time` is given one. An id that occurs twice for one metric would refuse them all.
    """
    ...


@action(
    "POST /client/subscriptions",
    type="subscription",
    limits="350/s 750/m",
    scopes="subscriptions:write",
    repeat=never("the profile's subscriptions: the person may have unsubscribed since the first attempt"),
    seed={
        "profile.anonymous_id": GONE,
        "data__attributes__profile__data__attributes__anonymous__id": GONE,
        "data__attributes__profile__data__meta__patch__properties__unset": "profile.patch_properties.unset",
    },
    checks=(any_of("profile.email", "profile.phone_number", "profile.subscriptions.push"),),
)
def create_client_subscription(
    *,
    profile: Annotated[SubscriptionProfile, At("data.attributes.profile.data"), Resource("profile")],
    list_id: ListId,
    custom_source: str | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Add somebody to a list with consent to email or SMS, as a sign-up form would.

    Channels that `subscriptions` leaves out only have their address set; without it, every address given is subscribed
    to marketing. Klaviyo accepts the request and never reports the outcome.
    """
    ...


@action(
    "POST /client/back-in-stock-subscriptions",
    type="back-in-stock-subscription",
    limits="350/s 3500/m",
    scopes="catalogs:write profiles:write",
    repeat=never("the profile's events of the metric Subscribed to Back in Stock since the first attempt"),
    seed={"profile.anonymous_id": GONE, "data__attributes__profile__data__attributes__anonymous__id": GONE},
    checks=(identified("profile", "id", "email", "phone_number", "external_id"),),
)
def create_client_back_in_stock_subscription(
    *,
    channels: list[Literal["EMAIL", "PUSH", "SMS", "WHATSAPP"]],
    profile: Annotated[Identified, At("data.attributes.profile.data"), Resource("profile")],
    variant_id: VariantId,
    company_id: str | None = None,
) -> Envelope:
    """Notify somebody when a variant is back in stock, as a shop's pages would.

    Klaviyo accepts the request and never reports the outcome.
    """
    ...


@action(
    "POST /client/push-tokens",
    type="push-token",
    limits="150/s 1400/m",
    repeat=with_key("token", unless=edits),
    seed={"profile.anonymous_id": GONE, "data__attributes__profile__data__attributes__anonymous__id": GONE},
    checks=(identified("profile", *KNOWN),),
)
def create_client_push_token(
    *,
    token: str,
    platform: Platform,
    vendor: Vendor,
    profile: Annotated[TokenProfile, At("data.attributes.profile.data"), Resource("profile")],
    enablement_status: Enablement | None = None,
    background: Background | None = None,
    device_metadata: DeviceMetadata | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Create or update a push token and its profile, as a mobile app would.

    The account must have push messages switched on.
    """
    ...


@action(
    "POST /client/push-token-unregister",
    type="push-token-unregister",
    limits="10/s 150/m",
    repeat=safe(unless=edits),
    seed={"profile.anonymous_id": GONE, "data__attributes__profile__data__attributes__anonymous__id": GONE},
    checks=(identified("profile", *KNOWN),),
)
def unregister_client_push_token(
    *,
    token: str,
    platform: Platform,
    profile: Annotated[UnregisteredProfile, At("data.attributes.profile.data"), Resource("profile")],
    vendor: Vendor | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Remove a push token from a profile, as a mobile app would."""
    ...


@action(
    "POST /client/reviews", type="review", limits="10/s 150/m", repeat=never("`get_reviews`, by product and author")
)
def create_client_review(
    *,
    review_type: Literal["question", "rating", "review", "store"],
    email: Email,
    author: str,
    content: str,
    incentive_type: IncentiveType | None = None,
    product: ReviewedProduct | None = None,
    rating: Literal[1, 2, 3, 4, 5] | None = None,
    title: str | None = None,
    custom_questions: list[CustomAnswer] | None = None,
    images: list[str] | None = None,
    order_id: Annotated[str, At("data.relationships.order.data"), Linkage("order")] | None = None,
    company_id: str | None = None,
) -> Envelope:
    """Write a review."""
    ...
