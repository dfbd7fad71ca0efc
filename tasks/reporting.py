"""Reporting: what campaigns, flows, forms and segments have achieved.

Each is a query shaped as a POST: it changes nothing, but it spends one of few calls a day. Ask for much in one call
rather than calling for each campaign or flow. Rates come as fractions; a timeframe is a year long at most.
"""

from typing import Annotated, Literal

from typing_extensions import TypedDict

from tasks.shapes import Timestamp
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE
from worker.api.wire import Query

MessageStatistic = Literal[
    "average_order_value", "bounce_rate", "bounced", "bounced_or_failed", "bounced_or_failed_rate", "click_rate",
    "click_to_open_rate", "clicks", "clicks_unique", "conversion_rate", "conversion_uniques", "conversion_value",
    "conversions", "delivered", "delivery_rate", "failed", "failed_rate", "message_segment_count_sum", "open_rate",
    "opens", "opens_unique", "recipients", "revenue_per_recipient", "spam_complaint_rate", "spam_complaints",
    "text_message_credit_usage_amount", "text_message_roi", "text_message_spend", "unsubscribe_rate",
    "unsubscribe_uniques", "unsubscribes",
]  # fmt: skip
FormStatistic = Literal[
    "closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits",
    "submitted_form_step", "submitted_form_step_uniques", "viewed_form", "viewed_form_step", "viewed_form_step_uniques",
    "viewed_form_uniques",
]  # fmt: skip
SegmentStatistic = Literal["members_added", "members_removed", "net_members_changed", "total_members"]
CampaignGroup = Literal[
    "campaign_id", "campaign_message_id", "campaign_message_name", "group", "group_name", "send_channel", "tag_id",
    "tag_name", "text_message_format", "variation", "variation_name",
]  # fmt: skip
FlowGroup = Literal[
    "flow_id", "flow_message_id", "flow_message_name", "flow_name", "send_channel", "tag_id", "tag_name",
    "text_message_format", "variation", "variation_name",
]  # fmt: skip
Interval = Literal["daily", "hourly", "monthly", "weekly"]
TimeframeKey = Literal[
    "last_12_months", "last_30_days", "last_365_days", "last_3_months", "last_7_days", "last_90_days", "last_month",
    "last_week", "last_year", "this_month", "this_week", "this_year", "today", "yesterday",
]  # fmt: skip
CampaignValuesReportField = Literal["id", "results"]
FlowValuesReportField = Literal["id", "results"]
FlowSeriesReportField = Literal["date_times", "id", "results"]
FormValuesReportField = Literal["id", "results"]
FormSeriesReportField = Literal["date_times", "id", "results"]
SegmentValuesReportField = Literal["id", "results"]
SegmentSeriesReportField = Literal["date_times", "id", "results"]


class NamedTimeframe(TypedDict):
    """A time frame by name, in the account's time zone."""

    key: TimeframeKey


class CustomTimeframe(TypedDict):
    """From one point in time to another. Klaviyo ignores the offsets and reads both in the account's time zone."""

    start: Timestamp
    end: Timestamp


Timeframe = NamedTimeframe | CustomTimeframe
#: These operations have their own name for the cursor.
PageCursor = Annotated[str, Query("page_cursor")]


@action(
    "POST /api/campaign-values-reports",
    type="campaign-values-report",
    limits="1/s 2/m 225/d",
    scopes="campaigns:read",
    repeat=SAFE,
)
def query_campaign_values(
    *,
    statistics: list[MessageStatistic],
    timeframe: Timeframe,
    conversion_metric_id: str,
    group_by: list[CampaignGroup] | None = None,
    filter: str | None = None,
    fields_campaign_values_report: list[CampaignValuesReportField] | None = None,
    page_cursor: Annotated[PageCursor, Query("page_cursor")] | None = None,
) -> Envelope:
    """Report the figures of campaigns.

    A grouping has to name the campaign and the message: `campaign_id`, `campaign_message_id`.
    """
    ...


@action(
    "POST /api/flow-values-reports", type="flow-values-report", limits="1/s 2/m 225/d", scopes="flows:read", repeat=SAFE
)
def query_flow_values(
    *,
    statistics: list[MessageStatistic],
    timeframe: Timeframe,
    conversion_metric_id: str,
    group_by: list[FlowGroup] | None = None,
    filter: str | None = None,
    fields_flow_values_report: list[FlowValuesReportField] | None = None,
    page_cursor: Annotated[PageCursor, Query("page_cursor")] | None = None,
) -> Envelope:
    """Report the figures of flows.

    A grouping has to name the flow and the message: `flow_id`, `flow_message_id`.
    """
    ...


@action(
    "POST /api/flow-series-reports", type="flow-series-report", limits="1/s 2/m 225/d", scopes="flows:read", repeat=SAFE
)
def query_flow_series(
    *,
    statistics: list[MessageStatistic],
    timeframe: Timeframe,
    interval: Interval,
    conversion_metric_id: str,
    group_by: list[FlowGroup] | None = None,
    filter: str | None = None,
    fields_flow_series_report: list[FlowSeriesReportField] | None = None,
    page_cursor: Annotated[PageCursor, Query("page_cursor")] | None = None,
) -> Envelope:
    """Report the figures of flows as a series over time.

    Hours are reported for 7 days at most, days for 60, months for 52 weeks.
    """
    ...


@action(
    "POST /api/form-values-reports", type="form-values-report", limits="1/s 2/m 225/d", scopes="forms:read", repeat=SAFE
)
def query_form_values(
    *,
    statistics: list[FormStatistic],
    timeframe: Timeframe,
    group_by: list[Literal["form_id", "form_version_id"]] | None = None,
    filter: str | None = None,
    fields_form_values_report: list[FormValuesReportField] | None = None,
) -> Envelope:
    """Report the figures of forms."""
    ...


@action(
    "POST /api/form-series-reports", type="form-series-report", limits="1/s 2/m 225/d", scopes="forms:read", repeat=SAFE
)
def query_form_series(
    *,
    statistics: list[FormStatistic],
    timeframe: Timeframe,
    interval: Interval,
    group_by: list[Literal["form_id", "form_version_id"]] | None = None,
    filter: str | None = None,
    fields_form_series_report: list[FormSeriesReportField] | None = None,
) -> Envelope:
    """Report the figures of forms as a series over time.

    Hours are reported for 7 days at most, days for 60, months for 52 weeks.
    """
    ...


@action(
    "POST /api/segment-values-reports",
    type="segment-values-report",
    limits="1/s 2/m 225/d",
    scopes="segments:read",
    repeat=SAFE,
)
def query_segment_values(
    *,
    statistics: list[SegmentStatistic],
    timeframe: Timeframe,
    filter: str | None = None,
    fields_segment_values_report: list[SegmentValuesReportField] | None = None,
) -> Envelope:
    """Report how the size of segments has changed."""
    ...


@action(
    "POST /api/segment-series-reports",
    type="segment-series-report",
    limits="1/s 2/m 225/d",
    scopes="segments:read",
    repeat=SAFE,
)
def query_segment_series(
    *,
    statistics: list[SegmentStatistic],
    timeframe: Timeframe,
    interval: Interval,
    filter: str | None = None,
    fields_segment_series_report: list[SegmentSeriesReportField] | None = None,
) -> Envelope:
    """Report the size of segments as a series over time.

    Hours are reported for 7 days at most, days for 60, months for 52 weeks.
    """
    ...
