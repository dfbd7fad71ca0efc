"""Reporting: values and series of the messages of campaigns and flows, a page at a time. The figures are made up."""

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
from sandbox.times import parsed

PAGE = 50
_PLACE = "/data/attributes"
_LISTS = ("tag_id", "tag_name")
_CHANNELS = {"mobile_push": "push-notification"}


@dataclass(frozen=True, slots=True)
class Line:
    """A message to report on, and every way in which it can be grouped."""

    message_id: str
    groupings: Mapping[str, Any]


Statistics = Callable[[Line, list[str]], dict[str, Any]]
"""The named statistics of a line."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of report: the groupings that it must have, has if nothing is said, and may have."""

    required: tuple[str, ...]
    allowed: tuple[str, ...]


_COMMON = ("send_channel", "tag_id", "tag_name", "text_message_format", "variation", "variation_name")
CAMPAIGNS = Kind(
    ("campaign_id", "campaign_message_id"),
    ("campaign_id", "campaign_message_id", "campaign_message_name", "group", "group_name", *_COMMON),
)
FLOWS = Kind(
    ("flow_id", "flow_message_id"),
    ("flow_id", "flow_message_id", "flow_message_name", "flow_name", *_COMMON),
)


def query_campaign_values(call: Call) -> Reply:
    """One row for each message of a campaign that has been sent."""
    return _values(call, CAMPAIGNS, _campaign_lines(call.store))


def query_flow_values(call: Call) -> Reply:
    """One row for each message of a flow."""
    return _values(call, FLOWS, _flow_lines(call.store))


def query_flow_series(call: Call) -> Reply:
    """One row for each message of a flow, with one figure for each interval."""
    edges = intervals(call)

    def statistics(line: Line, wanted: list[str]) -> dict[str, Any]:
        rows = [reports.figures(line.message_id, edge) for edge in edges]
        return {name: [row[name] for row in rows] for name in wanted}

    results, links = _page(call, _selected(call, _flow_lines(call.store)), statistics, FLOWS)
    return report(call, {"results": results, "date_times": [edge.isoformat() for edge in edges]}, links)


def _values(call: Call, kind: Kind, lines: Iterator[Line]) -> Reply:
    start, _ = timeframe(call)

    def statistics(line: Line, wanted: list[str]) -> dict[str, Any]:
        row = reports.figures(line.message_id, start)
        return {name: row[name] for name in wanted}

    results, links = _page(call, _selected(call, lines), statistics, kind)
    return report(call, {"results": results}, links)


def report(call: Call, attributes: dict[str, Any], links: dict[str, str | None]) -> Reply:
    """The document of a report."""
    type = str(call.operation.type)
    sparse = call.query.fields.get(type)
    shown = {name: value for name, value in attributes.items() if sparse is None or name in sparse}
    return Reply({"data": {"type": type, "id": str(uuid5(NAMESPACE_URL, type)), "attributes": shown}, "links": links})


def _page(
    call: Call, lines: list[Line], statistics: Statistics, kind: Kind
) -> tuple[list[dict[str, Any]], dict[str, str | None]]:
    """The results on the page that `page_cursor` means, and the links to its neighbours."""
    wanted = call.attributes["statistics"]
    if not wanted:
        raise invalid("At least one statistic is required.", f"{_PLACE}/statistics")
    if call.store.find("metric", call.attributes["conversion_metric_id"]) is None:
        raise invalid("There is no metric with this id.", f"{_PLACE}/conversion_metric_id")
    grouped = _group_by(call, kind)
    at = _position(call.query.raw.get("page_cursor"))
    results = [
        {
            "groupings": {name: line.groupings.get(name) for name in grouped},
            "statistics": statistics(line, wanted),
        }
        for line in lines[at : at + PAGE]
    ]
    here = f"{call.base_url}{call.operation.path}"
    links = {
        "self": here,
        "next": f"{here}?page_cursor={_cursor(at + PAGE)}" if at + PAGE < len(lines) else None,
        "prev": f"{here}?page_cursor={_cursor(max(0, at - PAGE))}" if at else None,
    }
    return results, links


def _group_by(call: Call, kind: Kind) -> list[str]:
    given: list[str] = call.attributes.get("group_by") or [*kind.required, "send_channel"]
    if not set(kind.required) <= set(given):
        raise invalid(f"{' and '.join(kind.required)} are required.", f"{_PLACE}/group_by")
    return given


def _selected(call: Call, lines: Iterator[Line]) -> list[Line]:
    """The lines that pass the filter, one for each tag where tags are grouped by."""
    text = call.attributes.get("filter")
    conditions = filters.parse(text, call.operation.filter) if text else []
    found = [line for line in lines if filters.matches(conditions, line.groupings.get)]
    if not set(_LISTS) & set(call.attributes.get("group_by") or ()):
        return found
    return [single for line in found for single in _by_tag(line)]


def _by_tag(line: Line) -> Iterator[Line]:
    tags = list(zip(line.groupings["tag_id"], line.groupings["tag_name"], strict=True)) or [(None, None)]
    for id, name in tags:
        yield Line(line.message_id, {**line.groupings, "tag_id": id, "tag_name": name})


def _campaign_lines(store: Store) -> Iterator[Line]:
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
            yield Line(message.id, own | _channel(definition["channel"]) | _tags(store, campaign))


def _flow_lines(store: Store) -> Iterator[Line]:
    for flow in store.all("flow"):
        for action in store.related(flow, "flow-actions"):
            for message in store.related(action, "flow-messages"):
                own = {
                    "flow_id": flow.id,
                    "flow_name": flow.attributes["name"],
                    "flow_message_id": message.id,
                    "flow_message_name": message.private["name"],
                }
                yield Line(message.id, own | _channel(message.attributes["channel"]) | _tags(store, flow))


def _channel(channel: str) -> dict[str, Any]:
    return {"send_channel": _CHANNELS.get(channel, channel)}


def _tags(store: Store, owner: Resource) -> dict[str, Any]:
    tags = list(store.related(owner, "tags"))
    return {"tag_id": [tag.id for tag in tags], "tag_name": [tag.attributes["name"] for tag in tags]}


def timeframe(call: Call) -> tuple[datetime, datetime]:
    """From and to of the time frame, named or given, of at most a year."""
    given, place = call.attributes["timeframe"], f"{_PLACE}/timeframe"
    if "key" in given:
        return reports.span(given["key"], datetime.fromtimestamp(call.now, UTC))
    start, end = (parsed(str(given.get(name))) for name in ("start", "end"))
    if start is None or end is None or not start < end <= start + timedelta(days=366):
        raise invalid("start and end are required, at most a year apart.", place)
    return start, end


def intervals(call: Call) -> list[datetime]:
    """The starts of the intervals that a series is about."""
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
