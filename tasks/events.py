"""Events: what people did, when, and what it was worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.rules import IDENTIFIERS, edits, event, events, identified, stamp, stamp_all
from tasks.shapes import (
    Event,
    EventProfile,
    IdentifiedAsIs,
    Metric,
    MetricField,
    MetricService,
    Number,
    PatchedBeside,
    Person,
    PersonField,
    ProfileExtra,
    ProfileField,
    Timestamp,
    UpTo1000,
)
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import with_key
from worker.api.wire import At, NotNull, Resource, Resources

EventField = Literal["datetime", "event_properties", "id", "timestamp", "uuid"]


class BulkEventProfile(IdentifiedAsIs, Person, PatchedBeside, total=False):
    """Whose events they are; a new profile is created if need be."""

    anonymous_id: str | None


class ProfileEvents(TypedDict, total=False):
    """A profile and its events. ``backfill`` keeps them from starting flows."""

    profile: Required[Annotated[BulkEventProfile, At("attributes.profile.data"), Resource("profile")]]
    events: Required[Annotated[list[Event], At("attributes.events.data"), Resources("event")]]
    backfill: bool | None


BulkEvents = Annotated[
    list[ProfileEvents],
    Field(min_length=1, max_length=1000),
    At("data.attributes.events-bulk-create.data"),
    Resources("event-bulk-create"),
]


def by_profile(params: Params) -> Iterator[tuple[str, Any, Any]]:
    """The profiles of a bulk request with their events."""
    for number, each in enumerate(params["events"]):
        yield f"events.{number}.events", each["profile"], each["events"]


def every_profile_is_identified(params: Params) -> str | None:
    """Refuse events without a profile: Klaviyo would refuse the whole request."""
    for number, each in enumerate(params["events"]):
        if not any(each["profile"].get(name) for name in IDENTIFIERS):
            return f"'events.{number}.profile' has no identifier: give one of {', '.join(IDENTIFIERS)}"
    return None


def stamp_events(params: Params, key: str | None) -> None:
    """Give every event the id and the time that it lacks."""
    stamp_all((event for each in params["events"] for event in each["events"]), key)


@action("GET /api/events", limits="350/s 3500/m", scopes="events:read")
def get_events(
    *,
    filter: str | None = None,
    sort: Literal["datetime", "-datetime", "timestamp", "-timestamp"] | None = None,
    include: list[Literal["attributions", "metric", "profile"]] | None = None,
    fields_attribution: list[Literal["id"]] | None = None,
    fields_event: list[EventField] | None = None,
    fields_metric: list[MetricField] | None = None,
    fields_profile: list[PersonField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo1000 | None = None,
) -> Envelope:
    """List events, filtered and sorted.

    Whoever sent an event chose its time, and it may lie in the future: end a filter on `datetime` at the present.
    """
    ...


@action("GET /api/events/{id}", limits="10/s 150/m", scopes="events:read")
def get_event(
    *,
    id: str,
    include: list[Literal["attributions", "metric", "profile"]] | None = None,
    fields_attribution: list[Literal["id"]] | None = None,
    fields_event: list[EventField] | None = None,
    fields_metric: list[MetricField] | None = None,
    fields_profile: list[PersonField] | None = None,
) -> Envelope:
    """Get an event."""
    ...


@action(
    "GET /api/events/{id}/metric",
    limits="350/s 3500/m",
    scopes="events:read metrics:read",
    names_2024="get_event_metric",
)
def get_metric_for_event(*, id: str, fields_metric: list[MetricField] | None = None) -> Envelope:
    """Get the metric that an event counts towards."""
    ...


@action(
    "GET /api/events/{id}/relationships/metric",
    limits="350/s 3500/m",
    scopes="events:read metrics:read",
    names_2024="get_event_relationships_metric",
)
def get_metric_id_for_event(*, id: str) -> Envelope:
    """Get the id of the metric that an event counts towards."""
    ...


@action(
    "GET /api/events/{id}/profile",
    limits="350/s 3500/m",
    scopes="events:read profiles:read",
    names_2024="get_event_profile",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
)
def get_profile_for_event(
    *,
    id: str,
    fields_profile: list[ProfileField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
) -> Envelope:
    """Get the profile whose event it is.

    Predictive analytics draw on a smaller budget, which every action that offers them shares.
    """
    ...


@action(
    "GET /api/events/{id}/relationships/profile",
    limits="350/s 3500/m",
    scopes="events:read profiles:read",
    names_2024="get_event_relationships_profile",
)
def get_profile_id_for_event(*, id: str) -> Envelope:
    """Get the id of the profile whose event it is."""
    ...


@action(
    "POST /api/events",
    type="event",
    limits="350/s 3500/m",
    scopes="events:write",
    repeat=with_key("unique_id", unless=edits),
    checks=(identified("profile", *IDENTIFIERS), event),
    stamp=stamp,
)
def create_event(
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
) -> Envelope:
    """Create an event, and the profile and the metric if they are new.

    `unique_id` and `time` are set when left out, so that sending it again adds nothing: of one profile and metric,
    Klaviyo keeps the first event with an id. Klaviyo accepts the request and never reports the outcome.
    """
    ...


@action(
    "POST /api/event-bulk-create-jobs",
    type="event-bulk-create-job",
    limits="10/s 150/m",
    scopes="events:write",
    repeat=with_key("unique_id of every event", unless=edits),
    checks=(every_profile_is_identified, events(by_profile)),
    stamp=stamp_events,
)
def bulk_create_events(
    *,
    events: BulkEvents,
) -> Envelope:
    """Create up to 1,000 events of one or more profiles, in at most 5 MB.

    Each of `events` is a profile and its own `events`. What lacks a `unique_id` or a `time` is given one. An id that
    occurs twice for one profile and metric would refuse them all. Klaviyo accepts the request and never reports the
    outcome.
    """
    ...
