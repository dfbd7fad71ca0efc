"""Which rows of the store a page of a stream holds: its own, and those of the streams that come with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from schedules.pull.definition import Partition, Stream
from schedules.pull.resources import Resource
from schedules.pull.streams import STREAMS


def rows_by_table(
    stream: Stream,
    page: Mapping[str, Any],
    partition: Partition,
    account: str,
    synced_at: datetime,
    scan: int | None = None,
) -> dict[Table, list[dict[str, Any]]]:
    """Return the rows of a page by table; ``page`` is an envelope that holds a list."""
    resources = page["data"]
    found = {stream.table: [stream.row(each, partition, account, synced_at, scan) for each in resources]}
    included = {(each["type"], each["id"]): each for each in page.get("included") or ()}
    for child in STREAMS.values():
        parent = child.parent
        if parent and parent.include and parent.stream == stream.name:
            found[child.table] = [
                child.row(each, parent.partition(resource["id"]), account, synced_at, scan)
                for resource in resources
                for each in _linked(resource, parent.include, included)
            ]
    return found


def _linked(resource: Resource, name: str, included: Mapping[tuple[str, str], Resource]) -> Iterator[Resource]:
    """Yield the included resources that a relationship links to."""
    match (resource.get("relationships") or {}).get(name):
        case {"data": data}:
            links = data if isinstance(data, list) else [data]
        case _:
            links = []
    for each in links:
        match each:
            case {"type": str(type), "id": str(id)} if (type, id) in included:
                yield included[type, id]
