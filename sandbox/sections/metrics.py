"""Metrics: aggregates of the stored events by interval, without grouping or filtering by properties."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents, filters

MAPPABLE = ("metric", "custom-metric")
_PLACE = "/data/attributes"
_BOUNDS = ("greater-or-equal", "less-than")


def query_metric_aggregates(call: Call) -> Reply:
    """Counts, sums of `$value` and distinct profiles for each interval between the two bounds of `datetime`."""
    sent = call.attributes
    metric = call.store.get("metric", sent["metric_id"])
    wanted = sent["measurements"]
    if not wanted:
        raise invalid("At least one measurement is required.", f"{_PLACE}/measurements")
    interval = sent.get("interval") or "day"
    zone = _zone(sent.get("timezone") or "UTC")
    start, end = _bounds(call, zone)
    edges = _edges(start, end, interval)
    counts = [0] * len(edges)
    sums = [0.0] * len(edges)
    people: list[set[str]] = [set() for _ in edges]
    for id in metric.linked("events"):
        event = call.store.get("event", id)
        moment = datetime.fromtimestamp(event.attributes["timestamp"], UTC)
        if not start <= moment < end:
            continue
        slot = bisect_right(edges, moment) - 1
        counts[slot] += 1
        sums[slot] += float(event.attributes["event_properties"].get("$value") or 0)
        people[slot].update(event.linked("profile"))
    measured: dict[str, list[float]] = {
        "count": [float(count) for count in counts],
        "sum_value": sums,
        "unique": [float(len(ids)) for ids in people],
    }
    attributes = {
        "dates": [edge.isoformat() for edge in edges],
        "data": [{"dimensions": [], "measurements": {name: measured[name] for name in wanted}}],
    }
    address = f"{call.base_url}{call.operation.path}"
    data: dict[str, Any] = {"type": "metric-aggregate", "id": str(uuid4()), "attributes": attributes}
    return Reply({"data": data | {"links": {"self": address}}, "links": {"self": address}})


def update_mapped_metric(call: Call) -> Reply:
    """Map to a metric or a custom metric instead of the current one."""
    mapped = call.store.get("mapped-metric", call.path_id)
    targets = [(type, call.store.get(type, id)) for type in MAPPABLE for id in call.linkage(type)]
    if targets:
        for type in MAPPABLE:
            for id in mapped.linked(type):
                call.store.unlink(mapped, type, id)
    for type, target in targets:
        call.store.link(mapped, type, target, call.now)
    call.store.touch(mapped, call.now)
    return documents.single(call, mapped)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid(f"'{name}' is not a time zone.", f"{_PLACE}/timezone") from None


def _bounds(call: Call, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The start and end, in the requested time zone."""
    given = filters.parse(",".join(call.attributes["filter"]), call.operation.filter)
    found = {one.operator: one.values[0] for one in given if one.field == "datetime"}
    if len(found) != 2:
        raise invalid("greater-or-equal(datetime,…) and less-than(datetime,…) are required.", f"{_PLACE}/filter")
    start, end = (datetime.fromisoformat(str(found[name])) for name in _BOUNDS)
    if not start < end <= start + timedelta(days=366):
        raise invalid("The span must be positive and at most one year.", f"{_PLACE}/filter")
    return start.astimezone(zone), end.astimezone(zone)


def _edges(start: datetime, end: datetime, interval: str) -> list[datetime]:
    edges = [start]
    while (following := _after(edges[-1], interval)) < end:
        edges.append(following)
    return edges


def _after(edge: datetime, interval: str) -> datetime:
    if interval == "month":
        return (edge.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)
    return edge + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[interval]
