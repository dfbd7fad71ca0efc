"""Tracking settings: the UTM parameters that Klaviyo puts into links. There is one, and its id is the account's."""

from typing import Annotated, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE

FlowValue = Literal[
    "email_subject",
    "flow_id",
    "flow_name",
    "link_alt_text",
    "message_name",
    "message_name_id",
    "message_type",
    "profile_external_id",
    "profile_id",
]
CampaignValue = Literal[
    "campaign_id", "campaign_name", "campaign_name_id", "campaign_name_send_day", "email_subject", "group_id",
    "group_name", "group_name_id", "link_alt_text", "message_type", "profile_external_id", "profile_id",
]  # fmt: skip
TrackingSettingField = Literal[
    "auto_add_parameters", "custom_parameters", "id", "utm_campaign", "utm_campaign.campaign",
    "utm_campaign.campaign.type", "utm_campaign.campaign.value", "utm_campaign.flow", "utm_campaign.flow.type",
    "utm_campaign.flow.value", "utm_id", "utm_id.campaign", "utm_id.campaign.type", "utm_id.campaign.value",
    "utm_id.flow", "utm_id.flow.type", "utm_id.flow.value", "utm_medium", "utm_medium.campaign",
    "utm_medium.campaign.type", "utm_medium.campaign.value", "utm_medium.flow", "utm_medium.flow.type",
    "utm_medium.flow.value", "utm_source", "utm_source.campaign", "utm_source.campaign.type",
    "utm_source.campaign.value", "utm_source.flow", "utm_source.flow.type", "utm_source.flow.value", "utm_term",
    "utm_term.campaign", "utm_term.campaign.type", "utm_term.campaign.value", "utm_term.flow", "utm_term.flow.type",
    "utm_term.flow.value",
]  # fmt: skip


class StaticValue(TypedDict):
    """The same value in every link."""

    type: Literal["static"]
    value: str


class DynamicFlowValue(TypedDict):
    """A value that Klaviyo fills in for a message of a flow."""

    type: Literal["dynamic"]
    value: FlowValue


class DynamicCampaignValue(TypedDict):
    """A value that Klaviyo fills in for a campaign."""

    type: Literal["dynamic"]
    value: CampaignValue


class UtmParameter(TypedDict, total=False):
    """What a parameter says in the links of flows and in those of campaigns."""

    flow: Annotated[StaticValue | DynamicFlowValue, Field(discriminator="type")] | None
    campaign: Annotated[StaticValue | DynamicCampaignValue, Field(discriminator="type")] | None


class CustomParameter(UtmParameter, total=False):
    """A parameter with a name of your own."""

    name: Required[str]


@action("GET /api/tracking-settings", limits="10/s 150/m", scopes="tracking-settings:read")
def get_tracking_settings(
    *,
    fields_tracking_setting: list[TrackingSettingField] | None = None,
    page_cursor: str | None = None,
    page_size: Annotated[int, Field(ge=1, le=1)] | None = None,
) -> Envelope:
    """List the tracking settings: the one there is."""
    ...


@action("GET /api/tracking-settings/{id}", limits="10/s 150/m", scopes="tracking-settings:read")
def get_tracking_setting(*, id: str, fields_tracking_setting: list[TrackingSettingField] | None = None) -> Envelope:
    """Get the tracking settings."""
    ...


@action(
    "PATCH /api/tracking-settings/{id}",
    type="tracking-setting",
    limits="10/s 150/m",
    scopes="tracking-settings:write",
    repeat=SAFE,
)
def update_tracking_setting(
    *,
    id: str,
    auto_add_parameters: bool | None = None,
    utm_source: UtmParameter | None = None,
    utm_medium: UtmParameter | None = None,
    utm_campaign: UtmParameter | None = None,
    utm_id: UtmParameter | None = None,
    utm_term: UtmParameter | None = None,
    custom_parameters: list[CustomParameter] | None = None,
    fields_tracking_setting: list[TrackingSettingField] | None = None,
) -> Envelope:
    """Update the tracking settings."""
    ...
