"""Profiles: people, their properties, their consent, their devices, and importing many of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.rules import KNOWN, any_of, edits, identified, one_of
from tasks.shapes import (
    Background,
    Day,
    DeviceMetadata,
    Email,
    Enablement,
    IdentifiedAsIs,
    ListField,
    ListId,
    ListIds,
    Location,
    PatchedBeside,
    PatchIdentifiers,
    PatchProperties,
    Person,
    PersonField,
    PhoneNumber,
    Platform,
    ProfileExtra,
    ProfileField,
    PushToken,
    SegmentField,
    SegmentId,
    Subscriptions,
    TokenProfile,
    UpTo100,
    Vendor,
)
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import SAFE, never, safe, with_key
from worker.api.seed_names import Adds, Dropped
from worker.api.wire import At, Linkages, Resource, Resources

ProfileSort = Literal[
    "created", "-created", "email", "-email", "id", "-id", "updated", "-updated",
    "subscriptions.email.marketing.suppression.timestamp", "-subscriptions.email.marketing.suppression.timestamp",
    "subscriptions.email.marketing.list_suppressions.timestamp",
    "-subscriptions.email.marketing.list_suppressions.timestamp",
]  # fmt: skip
PushTokenField = Literal[
    "background", "created", "enablement_status", "id", "metadata", "metadata.app_build", "metadata.app_id",
    "metadata.app_name", "metadata.app_version", "metadata.device_id", "metadata.device_model",
    "metadata.environment", "metadata.klaviyo_sdk", "metadata.manufacturer", "metadata.os_name",
    "metadata.os_version", "metadata.sdk_version", "platform", "recorded_date", "token", "vendor",
]  # fmt: skip
ImportJobField = Literal[
    "completed_at", "completed_count", "created_at", "expires_at", "failed_count", "id", "started_at", "status",
    "total_count",
]  # fmt: skip
ImportErrorField = Literal["code", "detail", "id", "original_payload", "source", "source.pointer", "title"]
SuppressionJobField = Literal[
    "completed_at", "completed_count", "created_at", "id", "skipped_count", "status", "total_count",
]  # fmt: skip

#: Why `anonymous_id` is accepted and left out.
GONE = Dropped("Klaviyo removed anonymous_id from this operation in revision 2025-10-15")


class ImportedProfile(IdentifiedAsIs, Person, PatchedBeside, total=False):
    """A profile in an import. Its values are not checked here: the job's errors say what is wrong."""


ImportedProfiles = Annotated[
    list[ImportedProfile],
    Field(min_length=1, max_length=10_000),
    At("data.attributes.profiles.data"),
    Resources("profile", max_bytes=100_000),
]
MergedIds = Annotated[
    list[str], Field(min_length=1, max_length=1), At("data.relationships.profiles.data"), Linkages("profile")
]


class SubscribedProfile(TypedDict, total=False):
    """Who gives consent, and to what."""

    id: str | None
    email: str | None
    phone_number: str | None
    subscriptions: Required[Subscriptions]
    age_gated_date_of_birth: Day | None


SubscribedProfiles = Annotated[
    list[SubscribedProfile],
    Field(min_length=1, max_length=1000),
    At("data.attributes.profiles.data"),
    Resources("profile"),
]


class Unsubscribed(TypedDict):
    """Consent withdrawn."""

    consent: Literal["UNSUBSCRIBED"]


class EmailUnsubscription(TypedDict, total=False):
    """No more email."""

    marketing: Unsubscribed | None
    open_tracking: Unsubscribed | None


class SmsUnsubscription(TypedDict, total=False):
    """No more SMS."""

    marketing: Unsubscribed | None
    transactional: Unsubscribed | None


class WhatsAppUnsubscription(TypedDict, total=False):
    """No more WhatsApp messages."""

    marketing: Unsubscribed | None
    transactional: Unsubscribed | None
    conversational: Unsubscribed | None


class PushUnsubscription(TypedDict):
    """No more push messages to these devices."""

    marketing: Unsubscribed
    tokens: list[PushToken]


class Unsubscriptions(TypedDict, total=False):
    """What is withdrawn, by channel; a channel that is left out stays as it is."""

    email: EmailUnsubscription | None
    sms: SmsUnsubscription | None
    whatsapp: WhatsAppUnsubscription | None
    push: PushUnsubscription | None


class UnsubscribedProfile(TypedDict, total=False):
    """Who withdraws consent, and from what."""

    email: str | None
    phone_number: str | None
    subscriptions: Required[Unsubscriptions]


UnsubscribedProfiles = Annotated[
    list[UnsubscribedProfile],
    Field(min_length=1, max_length=100),
    At("data.attributes.profiles.data"),
    Resources("profile"),
]


class SuppressedProfile(TypedDict):
    """Who is to be suppressed, or no longer."""

    email: str


SuppressedProfiles = Annotated[
    list[SuppressedProfile],
    Field(min_length=1, max_length=100),
    At("data.attributes.profiles.data"),
    Resources("profile"),
]


def takes_members(params: Params) -> str | None:
    """Members are resolved when the job runs: a repeat may reach other people."""
    return None if params.get("profiles") else "the suppressions of the list or segment, and who is in it now"


@action(
    "GET /api/profiles/{id}",
    limits="75/s 750/m",
    scopes="profiles:read",
    extra={
        "include=lists": "1/s 15/m",
        "include=segments": "1/s 15/m",
        "additional_fields_profile=predictive_analytics": "10/s 150/m",
    },
)
def get_profile(
    *,
    id: str,
    include: list[Literal["conversations", "lists", "push-tokens", "segments"]] | None = None,
    fields_conversation: list[Literal["channel", "id"]] | None = None,
    fields_list: list[ListField] | None = None,
    fields_profile: list[ProfileField] | None = None,
    fields_push_token: list[PushTokenField] | None = None,
    fields_segment: list[SegmentField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
) -> Envelope:
    """Get a profile.

    Asking for `lists` or `segments` costs a second, much smaller budget each, and predictive analytics a third.
    """
    ...


@action(
    "GET /api/profiles",
    limits="75/s 750/m",
    scopes="profiles:read",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
    seed={
        "include_predictive_analytics": Adds("additional_fields_profile", "predictive_analytics"),
        "include_subscriptions": Adds("additional_fields_profile", "subscriptions"),
    },
)
def get_profiles(
    *,
    filter: str | None = None,
    sort: ProfileSort | None = None,
    include: list[Literal["conversations", "push-tokens"]] | None = None,
    fields_conversation: list[Literal["channel", "id"]] | None = None,
    fields_profile: list[ProfileField] | None = None,
    fields_push_token: list[PushTokenField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List profiles, filtered and sorted.

    Predictive analytics draw on a smaller budget, which every action that offers them shares. A filter on `updated` or
    `created` knows only later and earlier, not "or at": begin a second early and drop what is there already.
    """
    ...


@action(
    "GET /api/profiles/{id}/lists", limits="3/s 60/m", scopes="lists:read profiles:read", names_2024="get_profile_lists"
)
def get_lists_for_profile(*, id: str, fields_list: list[ListField] | None = None) -> Envelope:
    """List the lists that a profile is on."""
    ...


@action(
    "GET /api/profiles/{id}/relationships/lists",
    limits="3/s 60/m",
    scopes="lists:read profiles:read",
    names_2024="get_profile_relationships_lists",
)
def get_list_ids_for_profile(*, id: str) -> Envelope:
    """List the ids of the lists that a profile is on."""
    ...


@action(
    "GET /api/profiles/{id}/segments",
    limits="3/s 60/m",
    scopes="profiles:read segments:read",
    names_2024="get_profile_segments",
)
def get_segments_for_profile(*, id: str, fields_segment: list[SegmentField] | None = None) -> Envelope:
    """List the segments that a profile belongs to."""
    ...


@action(
    "GET /api/profiles/{id}/relationships/segments",
    limits="3/s 60/m",
    scopes="profiles:read segments:read",
    names_2024="get_profile_relationships_segments",
)
def get_segment_ids_for_profile(*, id: str) -> Envelope:
    """List the ids of the segments that a profile belongs to."""
    ...


@action(
    "GET /api/profile-bulk-import-jobs",
    limits="10/s 150/m",
    scopes="lists:read profiles:read",
    names_2024="get_bulk_profile_import_jobs",
)
def get_bulk_import_profiles_jobs(
    *,
    filter: str | None = None,
    sort: Literal["created_at", "-created_at"] | None = None,
    fields_profile_bulk_import_job: list[ImportJobField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List import jobs.

    Klaviyo forgets a job seven days after it was started.
    """
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{job_id}",
    limits="10/s 150/m",
    scopes="lists:read profiles:read",
    names_2024="get_bulk_profile_import_job",
)
def get_bulk_import_profiles_job(
    *,
    job_id: str,
    include: list[Literal["lists"]] | None = None,
    fields_list: list[ListField] | None = None,
    fields_profile_bulk_import_job: list[ImportJobField] | None = None,
) -> Envelope:
    """Get an import job: how far it is and what it counted.

    A job that is `complete` may have failed records: look at `failed_count`.
    """
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{id}/import-errors",
    limits="10/s 150/m",
    scopes="profiles:read",
    names_2024="get_bulk_profile_import_job_import_errors",
)
def get_errors_for_bulk_import_profiles_job(
    *,
    id: str,
    fields_import_error: list[ImportErrorField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the records that an import job could not take, with the reasons.

    Read them before the job expires. Not every error has every field that Klaviyo documents.
    """
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{id}/lists",
    limits="10/s 150/m",
    scopes="lists:read",
    names_2024="get_bulk_profile_import_job_lists",
)
def get_list_for_bulk_import_profiles_job(*, id: str, fields_list: list[ListField] | None = None) -> Envelope:
    """Get the list that an import job adds its profiles to."""
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{id}/relationships/lists",
    limits="10/s 150/m",
    scopes="lists:read",
    names_2024="get_bulk_profile_import_job_relationships_lists",
)
def get_list_ids_for_bulk_import_profiles_job(*, id: str) -> Envelope:
    """Get the id of the list that an import job adds its profiles to."""
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{id}/profiles",
    limits="10/s 150/m",
    scopes="profiles:read",
    names_2024="get_bulk_profile_import_job_profiles",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
)
def get_profiles_for_bulk_import_profiles_job(
    *,
    id: str,
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the profiles that an import job made or changed."""
    ...


@action(
    "GET /api/profile-bulk-import-jobs/{id}/relationships/profiles",
    limits="10/s 150/m",
    scopes="profiles:read",
    names_2024="get_bulk_profile_import_job_relationships_profiles",
)
def get_profile_ids_for_bulk_import_profiles_job(
    *,
    id: str,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the profiles that an import job made or changed."""
    ...


@action("GET /api/profile-suppression-bulk-create-jobs", limits="75/s 750/m", scopes="subscriptions:read")
def get_bulk_suppress_profiles_jobs(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_profile_suppression_bulk_create_job: list[SuppressionJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that suppress profiles.

    `equals(status,'processing')` finds those in progress; a list or a segment can be named, too.
    """
    ...


@action("GET /api/profile-suppression-bulk-create-jobs/{job_id}", limits="75/s 750/m", scopes="subscriptions:read")
def get_bulk_suppress_profiles_job(
    *, job_id: str, fields_profile_suppression_bulk_create_job: list[SuppressionJobField] | None = None
) -> Envelope:
    """Get a job that suppresses profiles, with its counters.

    It has no errors: whoever could not be suppressed counts as skipped.
    """
    ...


@action("GET /api/profile-suppression-bulk-delete-jobs", limits="75/s 750/m", scopes="subscriptions:read")
def get_bulk_unsuppress_profiles_jobs(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_profile_suppression_bulk_delete_job: list[SuppressionJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that lift suppressions.

    `equals(status,'processing')` finds those in progress; a list or a segment can be named, too.
    """
    ...


@action("GET /api/profile-suppression-bulk-delete-jobs/{job_id}", limits="75/s 750/m", scopes="subscriptions:read")
def get_bulk_unsuppress_profiles_job(
    *, job_id: str, fields_profile_suppression_bulk_delete_job: list[SuppressionJobField] | None = None
) -> Envelope:
    """Get a job that lifts suppressions, with its counters.

    It has no errors: whoever could not be freed counts as skipped.
    """
    ...


@action("GET /api/push-tokens", limits="10/s 150/m", scopes="profiles:read push-tokens:read")
def get_push_tokens(
    *,
    filter: str | None = None,
    include: list[Literal["profile"]] | None = None,
    fields_profile: list[PersonField] | None = None,
    fields_push_token: list[PushTokenField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the devices that take push messages."""
    ...


@action("GET /api/push-tokens/{id}", limits="10/s 150/m", scopes="profiles:read push-tokens:read")
def get_push_token(
    *,
    id: str,
    include: list[Literal["profile"]] | None = None,
    fields_profile: list[PersonField] | None = None,
    fields_push_token: list[PushTokenField] | None = None,
) -> Envelope:
    """Get a device that takes push messages."""
    ...


@action("GET /api/profiles/{id}/push-tokens", limits="10/s 150/m", scopes="profiles:read")
def get_push_tokens_for_profile(*, id: str, fields_push_token: list[PushTokenField] | None = None) -> Envelope:
    """List the devices of a profile."""
    ...


@action("GET /api/profiles/{id}/relationships/push-tokens", limits="10/s 150/m", scopes="profiles:read")
def get_push_token_ids_for_profile(*, id: str) -> Envelope:
    """List the ids of the devices of a profile."""
    ...


@action(
    "GET /api/push-tokens/{id}/profile",
    limits="10/s 150/m",
    scopes="profiles:read push-tokens:read",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
)
def get_profile_for_push_token(
    *,
    id: str,
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[Literal["subscriptions", "predictive_analytics"]] | None = None,
) -> Envelope:
    """Get the profile that a device belongs to."""
    ...


@action("GET /api/push-tokens/{id}/relationships/profile", limits="10/s 150/m", scopes="profiles:read push-tokens:read")
def get_profile_id_for_push_token(*, id: str) -> Envelope:
    """Get the id of the profile that a device belongs to."""
    ...


@action("GET /api/profiles/{id}/conversation", limits="3/s 60/m", scopes="conversations:read profiles:read")
def get_conversation_for_profile(
    *, id: str, fields_conversation: list[Literal["channel", "id"]] | None = None
) -> Envelope:
    """Get the conversation with a profile."""
    ...


@action(
    "GET /api/profiles/{id}/relationships/conversation", limits="3/s 60/m", scopes="conversations:read profiles:read"
)
def get_conversation_id_for_profile(*, id: str) -> Envelope:
    """Get the id of the conversation with a profile."""
    ...


@action("GET /api/profiles/{id}/conversations", limits="3/s 60/m", scopes="conversations:read profiles:read")
def get_conversations_for_profile(
    *, id: str, fields_conversation: list[Literal["channel", "id"]] | None = None
) -> Envelope:
    """List the conversations with a profile, in all channels."""
    ...


@action(
    "GET /api/profiles/{id}/relationships/conversations", limits="3/s 60/m", scopes="conversations:read profiles:read"
)
def get_conversation_ids_for_profile(*, id: str) -> Envelope:
    """List the ids of the conversations with a profile."""
    ...


@action(
    "POST /api/profiles",
    type="profile",
    limits="75/s 750/m",
    scopes="profiles:write",
    repeat=with_key("identifiers"),
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
    checks=(any_of("email", "phone_number", "external_id"),),
    max_body=100_000,
)
def create_profile(
    *,
    email: Email | None = None,
    phone_number: PhoneNumber | None = None,
    external_id: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    organization: str | None = None,
    locale: str | None = None,
    title: str | None = None,
    image: str | None = None,
    location: Location | None = None,
    properties: dict[str, Any] | None = None,
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
) -> Envelope:
    """Create a profile.

    Give at least one identifier. A profile that has one of them already is left as it is: Klaviyo answers 409, raised
    as `Conflict` with the id of that profile. Consent is given elsewhere: `bulk_subscribe_profiles`.

    `.on(together=True)`: it may travel in `bulk_import_profiles`. The envelope then has `job_id` and no `data`; a
    profile that exists is updated.
    """
    ...


@action(
    "PATCH /api/profiles/{id}",
    type="profile",
    limits="75/s 750/m",
    scopes="profiles:write",
    repeat=safe(unless=edits),
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
    seed={"anonymous_id": GONE, "data__attributes__anonymous__id": GONE},
    max_body=100_000,
)
def update_profile(
    *,
    id: str,
    email: Email | None = None,
    phone_number: PhoneNumber | None = None,
    external_id: str | None = None,
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
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
) -> Envelope:
    """Update a profile; what is left out stays, None clears.

    A new identifier that belongs to somebody else is refused: `Conflict`, with that profile's id. Adding to arrays by
    `patch_properties` is not repeated when nobody knows whether it was done.

    `.on(together=True)`: it may travel in `bulk_import_profiles`. The envelope then has `job_id` and no `data`.
    """
    ...


@action(
    "POST /api/profile-import",
    type="profile",
    limits="75/s 750/m",
    scopes="profiles:write",
    repeat=with_key("identifiers", unless=edits),
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
    seed={
        "anonymous_id": GONE,
        "data__attributes__anonymous__id": GONE,
        "address1": "location.address1",
        "address2": "location.address2",
        "city": "location.city",
        "country": "location.country",
        "latitude": "location.latitude",
        "longitude": "location.longitude",
        "region": "location.region",
        "timezone": "location.timezone",
        "zip_code": "location.zip",
    },
    checks=(any_of(*KNOWN),),
    max_body=100_000,
    upserts=True,
)
def create_or_update_profile(
    *,
    id: Annotated[str, At("data.id")] | None = None,
    email: Email | None = None,
    phone_number: PhoneNumber | None = None,
    external_id: str | None = None,
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
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
) -> Envelope:
    """Create a profile, or update the one that has these identifiers; None clears.

    ``created`` in the result says which it was.

    Identifiers of two different profiles are refused: `Conflict`. An `id` together with an address of somebody else's
    ends as `NotFound`.

    `.on(together=True)`: it may travel in `bulk_import_profiles`. The envelope then has `job_id` and no `data` or
    `created`.
    """
    ...


@action(
    "POST /api/profile-merge",
    type="profile-merge",
    limits="10/s 150/m",
    scopes="profiles:write",
    repeat=with_key("the two ids"),
)
def merge_profiles(
    *,
    id: Annotated[str, At("data.id")],
    profile_ids: MergedIds,
    fields_profile: list[Literal["id"]] | None = None,
) -> Envelope:
    """Merge another profile into the profile `id`. The other one is deleted for good.

    `profile_ids` takes one id. Klaviyo answers at once and merges later; once it has, the other id is `NotFound`.
    """
    ...


@action(
    "POST /api/profile-bulk-import-jobs",
    type="profile-bulk-import-job",
    limits="10/s 150/m",
    scopes="lists:write profiles:write",
    names_2024="spawn_bulk_profile_import_job",
    repeat=with_key("identifiers", unless=edits),
)
def bulk_import_profiles(
    *,
    profiles: ImportedProfiles,
    list_ids: ListIds | None = None,
    fields_profile_bulk_import_job: list[ImportJobField] | None = None,
) -> Envelope:
    """Create or update up to 10,000 profiles in one job.

    A request takes 5 MB and a profile 100 KB, so bytes often end it before the count does. The answer is the job: how
    it went is known from `get_bulk_import_profiles_job`. One malformed address refuses the whole request, `BadRequest`,
    with pointers to the profiles. Consent does not change, and None is not written.
    """
    ...


@action(
    "POST /api/profile-subscription-bulk-create-jobs",
    type="profile-subscription-bulk-create-job",
    limits="75/s 750/m",
    scopes="lists:write profiles:write subscriptions:write",
    names_2024="subscribe_profiles",
    repeat=never("the profiles' subscriptions: somebody may have unsubscribed since the first attempt"),
)
def bulk_subscribe_profiles(
    *,
    profiles: SubscribedProfiles,
    list_id: ListId | None = None,
    custom_source: str | None = None,
    historical_import: bool | None = None,
) -> Envelope:
    """Subscribe up to 1,000 profiles to email, SMS, WhatsApp or push.

    This takes back unsubscriptions, spam reports and suppressions by hand. Lists with double opt-in write to the people
    first; `historical_import` passes over that, and over flows, but wants a `consented_at` in the past. Klaviyo accepts
    the request and never reports the outcome.
    """
    ...


@action(
    "POST /api/profile-subscription-bulk-delete-jobs",
    type="profile-subscription-bulk-delete-job",
    limits="75/s 750/m",
    scopes="lists:write profiles:write subscriptions:write",
    names_2024="unsubscribe_profiles",
    repeat=SAFE,
)
def bulk_unsubscribe_profiles(
    *,
    profiles: UnsubscribedProfiles,
    list_id: ListId | None = None,
) -> Envelope:
    """Unsubscribe up to 100 profiles.

    Without `list_id`, and for whoever is not on that list, this ends every subscription of the channel. Klaviyo accepts
    the request and never reports the outcome.
    """
    ...


@action(
    "POST /api/profile-suppression-bulk-create-jobs",
    type="profile-suppression-bulk-create-job",
    limits="75/s 750/m",
    scopes="profiles:write subscriptions:write",
    names_2024="suppress_profiles",
    repeat=with_key("email addresses", unless=takes_members),
    checks=(one_of("profiles", "list_id", "segment_id"),),
)
def bulk_suppress_profiles(
    *,
    profiles: SuppressedProfiles | None = None,
    list_id: ListId | None = None,
    segment_id: SegmentId | None = None,
    fields_profile_suppression_bulk_create_job: list[SuppressionJobField] | None = None,
) -> Envelope:
    """Suppress email marketing to people, by address, list or segment.

    Give up to 100 addresses, or a list, or a segment. Members are taken when the job runs, not when it is asked for.
    The answer is the job.
    """
    ...


@action(
    "POST /api/profile-suppression-bulk-delete-jobs",
    type="profile-suppression-bulk-delete-job",
    limits="75/s 750/m",
    scopes="subscriptions:write",
    names_2024="unsuppress_profiles",
    repeat=never("the profiles' subscriptions: somebody may have been suppressed since the first attempt"),
    checks=(one_of("profiles", "list_id", "segment_id"),),
)
def bulk_unsuppress_profiles(
    *,
    profiles: SuppressedProfiles | None = None,
    list_id: ListId | None = None,
    segment_id: SegmentId | None = None,
    fields_profile_suppression_bulk_delete_job: list[SuppressionJobField] | None = None,
) -> Envelope:
    """End the suppression of email marketing to people, by address, list or segment.

    Give up to 100 addresses, or a list, or a segment. Only suppressions by hand are taken back: people who unsubscribed
    and addresses that bounced stay as they are. The answer is the job.
    """
    ...


@action(
    "POST /api/push-tokens",
    type="push-token",
    limits="75/s 750/m",
    scopes="profiles:write push-tokens:write",
    repeat=with_key("token", unless=edits),
    seed={"profile.anonymous_id": GONE, "data__attributes__profile__data__attributes__anonymous__id": GONE},
    checks=(identified("profile", *KNOWN),),
    max_body=100_000,
)
def create_push_token(
    *,
    token: str,
    platform: Platform,
    vendor: Vendor,
    profile: Annotated[TokenProfile, At("data.attributes.profile.data"), Resource("profile")],
    enablement_status: Enablement | None = None,
    background: Background | None = None,
    device_metadata: DeviceMetadata | None = None,
) -> Envelope:
    """Create or update a push token and the profile it belongs to.

    Meant for moving tokens here from another platform. Klaviyo accepts the request and never reports the outcome.
    """
    ...


@action("DELETE /api/push-tokens/{id}", limits="3/s 60/m", scopes="push-tokens:write", repeat=SAFE)
def delete_push_token(*, id: str) -> Envelope:
    """Delete a push token."""
    ...
