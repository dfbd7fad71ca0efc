"""Metrics: what is counted, and counting it."""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.shapes import FlowField, MetricField
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never
from worker.api.wire import At, Linkage, NotNull

MappedMetricId = Literal[
    "added_to_cart", "cancelled_sales", "ordered_product", "refunded_sales", "revenue", "started_checkout",
    "viewed_product",
]  # fmt: skip
MetricPropertyField = Literal["id", "inferred_type", "label", "property", "sample_values"]
CustomMetricField = Literal[
    "created", "definition", "definition.aggregation_method", "definition.metric_groups", "id", "name", "updated",
]  # fmt: skip
MetricOperator = Literal[
    "contains", "contains-ends-with", "contains-starts-with", "contains-substring", "ends-with", "equals",
    "greater-than", "greater-than-or-equal", "in", "is-set", "less-than", "less-than-or-equal", "not-contains",
    "not-contains-ends-with", "not-contains-starts-with", "not-contains-substring", "not-ends-with", "not-equals",
    "not-set", "not-starts-with", "nregex", "regex", "starts-with",
]  # fmt: skip
MappedMetricField = Literal["id", "updated"]
Dimension = Literal[
    "$attributed_channel", "$attributed_flow", "$attributed_message", "$attributed_variation", "$campaign_channel",
    "$flow", "$flow_channel", "$message", "$message_send_cohort", "$usage_amount", "$value_currency", "$variation",
    "$variation_send_cohort", "Bot Click", "Bounce Type", "Campaign Name", "Client Canonical", "Client Name",
    "Client Type", "Email Domain", "Failure Source", "Failure Type", "From Number", "From Phone Region",
    "Inbox Provider", "List", "Message Format", "Message Name", "Message Type", "Method", "Segment Count", "Subject",
    "To Number", "To Phone Region", "URL", "form_id",
]  # fmt: skip
DimensionSort = Literal[
    "$attributed_channel", "-$attributed_channel", "$attributed_flow", "-$attributed_flow", "$attributed_message",
    "-$attributed_message", "$attributed_variation", "-$attributed_variation", "$campaign_channel",
    "-$campaign_channel", "$flow", "-$flow", "$flow_channel", "-$flow_channel", "$message", "-$message",
    "$message_send_cohort", "-$message_send_cohort", "$usage_amount", "-$usage_amount", "$value_currency",
    "-$value_currency", "$variation", "-$variation", "$variation_send_cohort", "-$variation_send_cohort", "Bot Click",
    "-Bot Click", "Bounce Type", "-Bounce Type", "Campaign Name", "-Campaign Name", "Client Canonical",
    "-Client Canonical", "Client Name", "-Client Name", "Client Type", "-Client Type", "Email Domain",
    "-Email Domain", "Failure Source", "-Failure Source", "Failure Type", "-Failure Type", "From Number",
    "-From Number", "From Phone Region", "-From Phone Region", "Inbox Provider", "-Inbox Provider", "List", "-List",
    "Message Format", "-Message Format", "Message Name", "-Message Name", "Message Type", "-Message Type", "Method",
    "-Method", "Segment Count", "-Segment Count", "Subject", "-Subject", "To Number", "-To Number", "To Phone Region",
    "-To Phone Region", "URL", "-URL", "count", "-count", "form_id", "-form_id", "sum_value", "-sum_value", "unique",
    "-unique",
]  # fmt: skip


class MetricFilter(TypedDict, total=False):
    """What is compared, how, and with what; `is-set` and `not-set` have no value."""

    type: Required[Literal["boolean", "existence", "list", "numeric", "string"]]
    operator: Required[MetricOperator]
    value: str | bool | int | float | list[str] | None


class MetricCondition(TypedDict):
    """What a property of an event must be."""

    property: str
    filter: MetricFilter


class MetricGroup(TypedDict, total=False):
    """Events of one metric that count, and the property that has their value."""

    metric_id: Required[str]
    metric_filters: list[MetricCondition] | None
    value_property: str | None


class CustomMetricDefinition(TypedDict):
    """Which events are counted, or whose values are added up."""

    aggregation_method: Literal["count", "value"]
    metric_groups: list[MetricGroup]


@action("GET /api/metrics", limits="10/s 150/m", scopes="metrics:read")
def get_metrics(
    *,
    filter: str | None = None,
    include: list[Literal["flow-triggers"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_metric: list[MetricField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the account's metrics, two hundred a page.

    Filters know the name and the category of the integration only.
    """
    ...


@action("GET /api/metrics/{id}", limits="10/s 150/m", scopes="metrics:read")
def get_metric(
    *,
    id: str,
    include: list[Literal["flow-triggers"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_metric: list[MetricField] | None = None,
) -> Envelope:
    """Get a metric."""
    ...


@action("GET /api/metrics/{id}/flow-triggers", limits="10/s 150/m", scopes="flows:read metrics:read")
def get_flows_triggered_by_metric(*, id: str, fields_flow: list[FlowField] | None = None) -> Envelope:
    """List the flows that a metric triggers."""
    ...


@action("GET /api/metrics/{id}/relationships/flow-triggers", limits="10/s 150/m", scopes="flows:read metrics:read")
def get_ids_for_flows_triggered_by_metric(*, id: str) -> Envelope:
    """List the ids of the flows that a metric triggers."""
    ...


@action("GET /api/metrics/{id}/metric-properties", limits="1/s 15/m", scopes="metrics:read")
def get_properties_for_metric(
    *,
    id: str,
    fields_metric_property: list[MetricPropertyField] | None = None,
    additional_fields_metric_property: list[Literal["sample_values"]] | None = None,
) -> Envelope:
    """List the properties that events of a metric have."""
    ...


@action("GET /api/metrics/{id}/relationships/metric-properties", limits="1/s 15/m", scopes="metrics:read")
def get_property_ids_for_metric(*, id: str) -> Envelope:
    """List the ids of the properties that events of a metric have."""
    ...


@action("GET /api/metric-properties/{id}", limits="1/s 15/m", scopes="metrics:read")
def get_metric_property(
    *,
    id: str,
    include: list[Literal["metric"]] | None = None,
    fields_metric_property: list[MetricPropertyField] | None = None,
    fields_metric: list[MetricField] | None = None,
    additional_fields_metric_property: list[Literal["sample_values"]] | None = None,
) -> Envelope:
    """Get a property of a metric."""
    ...


@action("GET /api/metric-properties/{id}/metric", limits="1/s 15/m", scopes="metrics:read")
def get_metric_for_metric_property(*, id: str, fields_metric: list[MetricField] | None = None) -> Envelope:
    """Get the metric that a property belongs to."""
    ...


@action("GET /api/metric-properties/{id}/relationships/metric", limits="1/s 15/m", scopes="metrics:read")
def get_metric_id_for_metric_property(*, id: str) -> Envelope:
    """Get the id of the metric that a property belongs to."""
    ...


@action("GET /api/custom-metrics", limits="3/s 60/m", scopes="metrics:read")
def get_custom_metrics(
    *,
    include: list[Literal["metrics"]] | None = None,
    fields_custom_metric: list[CustomMetricField] | None = None,
    fields_metric: list[MetricField] | None = None,
) -> Envelope:
    """List the custom metrics of the account."""
    ...


@action("GET /api/custom-metrics/{id}", limits="3/s 60/m", scopes="metrics:read")
def get_custom_metric(
    *,
    id: str,
    include: list[Literal["metrics"]] | None = None,
    fields_custom_metric: list[CustomMetricField] | None = None,
    fields_metric: list[MetricField] | None = None,
) -> Envelope:
    """Get a custom metric."""
    ...


@action("GET /api/custom-metrics/{id}/metrics", limits="3/s 60/m", scopes="metrics:read")
def get_metrics_for_custom_metric(*, id: str, fields_metric: list[MetricField] | None = None) -> Envelope:
    """List the metrics that a custom metric counts."""
    ...


@action("GET /api/custom-metrics/{id}/relationships/metrics", limits="3/s 60/m", scopes="metrics:read")
def get_metric_ids_for_custom_metric(*, id: str) -> Envelope:
    """List the ids of the metrics that a custom metric counts."""
    ...


@action("GET /api/mapped-metrics", limits="3/s 60/m", scopes="metrics:read")
def get_mapped_metrics(
    *,
    include: list[Literal["custom-metric", "metric"]] | None = None,
    fields_custom_metric: list[CustomMetricField] | None = None,
    fields_mapped_metric: list[MappedMetricField] | None = None,
    fields_metric: list[MetricField] | None = None,
) -> Envelope:
    """List which metrics Klaviyo treats as orders, carts and revenue."""
    ...


@action("GET /api/mapped-metrics/{id}", limits="3/s 60/m", scopes="metrics:read")
def get_mapped_metric(
    *,
    id: MappedMetricId,
    include: list[Literal["custom-metric", "metric"]] | None = None,
    fields_custom_metric: list[CustomMetricField] | None = None,
    fields_mapped_metric: list[MappedMetricField] | None = None,
    fields_metric: list[MetricField] | None = None,
) -> Envelope:
    """Get a mapping."""
    ...


@action("GET /api/mapped-metrics/{id}/metric", limits="3/s 60/m", scopes="metrics:read")
def get_metric_for_mapped_metric(*, id: MappedMetricId, fields_metric: list[MetricField] | None = None) -> Envelope:
    """Get the metric of a mapping, if it has one."""
    ...


@action("GET /api/mapped-metrics/{id}/relationships/metric", limits="3/s 60/m", scopes="metrics:read")
def get_metric_id_for_mapped_metric(*, id: MappedMetricId) -> Envelope:
    """Get the id of the metric of a mapping."""
    ...


@action("GET /api/mapped-metrics/{id}/custom-metric", limits="3/s 60/m", scopes="metrics:read")
def get_custom_metric_for_mapped_metric(
    *, id: MappedMetricId, fields_custom_metric: list[CustomMetricField] | None = None
) -> Envelope:
    """Get the custom metric of a mapping, if it has one."""
    ...


@action("GET /api/mapped-metrics/{id}/relationships/custom-metric", limits="3/s 60/m", scopes="metrics:read")
def get_custom_metric_id_for_mapped_metric(*, id: MappedMetricId) -> Envelope:
    """Get the id of the custom metric of a mapping."""
    ...


@action("POST /api/metric-aggregates", type="metric-aggregate", limits="3/s 60/m", scopes="metrics:read", repeat=SAFE)
def query_metric_aggregates(
    *,
    metric_id: str,
    measurements: list[Literal["count", "sum_value", "unique"]],
    filter: list[str],
    interval: Literal["hour", "day", "week", "month"] | None = None,
    by: list[Dimension] | None = None,
    return_fields: list[str] | None = None,
    timezone: str | None = None,
    sort: Annotated[DimensionSort | None, NotNull()] = None,
    page_cursor: Annotated[str | None, At("data.attributes.page_cursor"), NotNull()] = None,
    page_size: Annotated[int, Field(ge=1), At("data.attributes.page_size")] | None = None,
    fields_metric_aggregate: list[Literal["data", "dates", "id"]] | None = None,
) -> Envelope:
    """Count or add up a metric's events by time and by up to a few dimensions.

    `filter` is a list that has to name a span of `datetime`, a year at most. Numbers of campaigns and flows as
    Klaviyo's own pages show them come from `query_campaign_values` and its kin.
    """
    ...


@action(
    "POST /api/custom-metrics",
    type="custom-metric",
    limits="1/s 15/m 15/d",
    scopes="metrics:write",
    repeat=never("`get_custom_metrics`, by name"),
)
def create_custom_metric(
    *, name: str, definition: CustomMetricDefinition, fields_custom_metric: list[CustomMetricField] | None = None
) -> Envelope:
    """Create a custom metric."""
    ...


@action(
    "PATCH /api/custom-metrics/{id}", type="custom-metric", limits="1/s 15/m 15/d", scopes="metrics:write", repeat=SAFE
)
def update_custom_metric(
    *,
    id: str,
    name: str | None = None,
    definition: CustomMetricDefinition | None = None,
    fields_custom_metric: list[CustomMetricField] | None = None,
) -> Envelope:
    """Update a custom metric."""
    ...


@action("DELETE /api/custom-metrics/{id}", limits="3/s 60/m", scopes="metrics:write", repeat=SAFE)
def delete_custom_metric(*, id: str) -> Envelope:
    """Delete a custom metric."""
    ...


@action(
    "PATCH /api/mapped-metrics/{id}", type="mapped-metric", limits="1/s 15/m 30/d", scopes="metrics:write", repeat=SAFE
)
def update_mapped_metric(
    *,
    id: MappedMetricId,
    metric_id: Annotated[str, At("data.relationships.metric.data"), Linkage("metric")] | None = None,
    custom_metric_id: Annotated[str, At("data.relationships.custom-metric.data"), Linkage("custom-metric")]
    | None = None,
    fields_mapped_metric: list[MappedMetricField] | None = None,
) -> Envelope:
    """Map another metric, or a custom metric, to one of the roles that Klaviyo knows."""
    ...
