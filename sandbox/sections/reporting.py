"""Reports on the messages of campaigns and flows: values and series, page by page. The figures are made up."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.call import Call, Reply
from sandbox.errors import invalid, invalid_parameter
from sandbox.reading import filters
from sandbox.records import reports
from sandbox.records.store import Resource, Store
from sandbox.times import from_iso

ROWS_PER_PAGE = 50
_PLACE = "/data/attributes"
_LISTS = ("tag_id", "tag_name")
_CHANNELS = {"mobile_push": "push-notification"}


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A message to report on, and everything that it can be grouped by."""

    message_id: str
    groupings: Mapping[str, Any]


Statistics = Callable[[ReportRow, list[str]], dict[str, Any]]
"""Computes the named statistics of a row."""


@dataclass(frozen=True, slots=True)
class ReportType:
    """A type of report: the groupings that it must have and may have."""

    required: tuple[str, ...]
    allowed: tuple[str, ...]


_COMMON = ("send_channel", "tag_id", "tag_name", "text_message_format", "variation", "variation_name")
CAMPAIGNS = ReportType(
    ("campaign_id", "campaign_message_id"),
    ("campaign_id", "campaign_message_id", "campaign_message_name", "group", "group_name", *_COMMON),
)
FLOWS = ReportType(
    ("flow_id", "flow_message_id"),
    ("flow_id", "flow_message_id", "flow_message_name", "flow_name", *_COMMON),
)


def query_campaign_values(call: Call) -> Reply:
    """One row for each message of a sent campaign."""
    return _values(call, CAMPAIGNS, _campaign_rows(call.store))


def query_flow_values(call: Call) -> Reply:
    """One row for each message of a flow."""
    return _values(call, FLOWS, _flow_rows(call.store))


def query_flow_series(call: Call) -> Reply:
    """One row for each message of a flow, with a figure for each interval."""
    edges = intervals(call)

    def statistics(row: ReportRow, wanted: list[str]) -> dict[str, Any]:
        figures = [reports.figures(row.message_id, edge) for edge in edges]
        return {name: [one[name] for one in figures] for name in wanted}

    results, links = _page(call, _selected(call, _flow_rows(call.store)), statistics, FLOWS)
    return report(call, {"results": results, "date_times": [edge.isoformat() for edge in edges]}, links)


def _values(call: Call, report_type: ReportType, rows: Iterator[ReportRow]) -> Reply:
    start, _ = timeframe(call)

    def statistics(row: ReportRow, wanted: list[str]) -> dict[str, Any]:
        figures = reports.figures(row.message_id, start)
        return {name: figures[name] for name in wanted}

    results, links = _page(call, _selected(call, rows), statistics, report_type)
    return report(call, {"results": results}, links)


def report(call: Call, attributes: dict[str, Any], links: dict[str, str | None]) -> Reply:
    """The document of a report."""
    type = str(call.operation.type)
    sparse = call.query.fields.get(type)
    shown = {name: value for name, value in attributes.items() if sparse is None or name in sparse}
    return Reply({"data": {"type": type, "id": str(uuid5(NAMESPACE_URL, type)), "attributes": shown}, "links": links})


def _page(
    call: Call, rows: list[ReportRow], statistics: Statistics, report_type: ReportType
) -> tuple[list[dict[str, Any]], dict[str, str | None]]:
    """The results on the page of `page_cursor`, and the links to its neighbours."""
    wanted = call.attributes["statistics"]
    if not wanted:
        raise invalid("At least one statistic is required.", f"{_PLACE}/statistics")
    if call.store.find("metric", call.attributes["conversion_metric_id"]) is None:
        raise invalid("There is no metric with this id.", f"{_PLACE}/conversion_metric_id")
    grouped = _group_by(call, report_type)
    at = _position(call.query.raw.get("page_cursor"))
    results = [
        {
            "groupings": {name: row.groupings.get(name) for name in grouped},
            "statistics": statistics(row, wanted),
        }
        for row in rows[at : at + ROWS_PER_PAGE]
    ]
    here = f"{call.base_url}{call.operation.path}"
    links = {
        "self": here,
        "next": f"{here}?page_cursor={_cursor(at + ROWS_PER_PAGE)}" if at + ROWS_PER_PAGE < len(rows) else None,
        "prev": f"{here}?page_cursor={_cursor(max(0, at - ROWS_PER_PAGE))}" if at else None,
    }
    return results, links


def _group_by(call: Call, report_type: ReportType) -> list[str]:
    given: list[str] = call.attributes.get("group_by") or [*report_type.required, "send_channel"]
    if not set(report_type.required) <= set(given):
        raise invalid(f"{' and '.join(report_type.required)} are required.", f"{_PLACE}/group_by")
    return given


def _selected(call: Call, rows: Iterator[ReportRow]) -> list[ReportRow]:
    """The rows that pass the filter, one for each tag if grouped by tag."""
    text = call.attributes.get("filter")
    conditions = filters.parse(text, call.operation.filter) if text else []
    found = [row for row in rows if filters.matches(conditions, row.groupings.get)]
    if not set(_LISTS) & set(call.attributes.get("group_by") or ()):
        return found
    return [single for row in found for single in _by_tag(row)]


def _by_tag(row: ReportRow) -> Iterator[ReportRow]:
    tags = list(zip(row.groupings["tag_id"], row.groupings["tag_name"], strict=True)) or [(None, None)]
    for id, name in tags:
        yield ReportRow(row.message_id, {**row.groupings, "tag_id": id, "tag_name": name})


def _campaign_rows(store: Store) -> Iterator[ReportRow]:
    for campaign in store.all("campaign"):
        if campaign.attributes["status"] != "Sent":
            continue
        for message in store.related(campaign, "campaign-messages"):
            definition = message.attributes["definition"]
            own = {
                "campaign_id": campaign.id,
                "campaign_message_id": message.id,
                "campaign_message_name": definition.get("label") or campaign.attributes["name"],
            }
            yield ReportRow(message.id, own | _channel(definition["channel"]) | _tags(store, campaign))


def _flow_rows(store: Store) -> Iterator[ReportRow]:
    for flow in store.all("flow"):
        for action in store.related(flow, "flow-actions"):
            for message in store.related(action, "flow-messages"):
                own = {
                    "flow_id": flow.id,
                    "flow_name": flow.attributes["name"],
                    "flow_message_id": message.id,
                    "flow_message_name": message.private["name"],
                }
                yield ReportRow(message.id, own | _channel(message.attributes["channel"]) | _tags(store, flow))


def _channel(channel: str) -> dict[str, Any]:
    return {"send_channel": _CHANNELS.get(channel, channel)}


def _tags(store: Store, owner: Resource) -> dict[str, Any]:
    tags = list(store.related(owner, "tags"))
    return {"tag_id": [tag.id for tag in tags], "tag_name": [tag.attributes["name"] for tag in tags]}


def timeframe(call: Call) -> tuple[datetime, datetime]:
    """The start and end of the time frame, which is named or given, of at most a year."""
    given, place = call.attributes["timeframe"], f"{_PLACE}/timeframe"
    if "key" in given:
        return reports.span(given["key"], datetime.fromtimestamp(call.now, UTC))
    start, end = (from_iso(str(given.get(name))) for name in ("start", "end"))
    if start is None or end is None or not start < end <= start + timedelta(days=366):
        raise invalid("start and end are required, at most a year apart.", place)
    return start, end


def intervals(call: Call) -> list[datetime]:
    """The start of each interval of a series."""
    start, end = timeframe(call)
    return reports.edges(start, end, call.attributes["interval"])


def _cursor(at: int) -> str:
    return urlsafe_b64encode(f"report:{at}".encode()).decode().rstrip("=")


def _position(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        mark, _, at = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if mark == "report":
            return int(at)
    except ValueError:
        pass
    raise invalid_parameter("Invalid cursor provided.", "page_cursor")
