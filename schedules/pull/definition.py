"""What a stream is: how one of Klaviyo's lists is requested page by page, and where its rows go. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from schedules.pull.resources import Resource, Take
from schedules.pull.watermark import TimeField
from worker.action import Action
from worker.api.filters import F, Filter


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a stream that is requested on its own, by its parameters and filter. Its rows have these values."""

    values: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    filter: Filter | None = None

    @property
    def name(self) -> str:
        """Its name in watermarks and windows, ``channel=email,archived=False``; empty if it is the whole stream."""
        return ",".join(f"{name}={value}" for name, value in self.values.items())


@dataclass(frozen=True, slots=True)
class Parent:
    """The stream each of whose rows is a partition of this one; ``column`` holds its id.

    The id is passed as a ``parameter`` of the action or as a ``filter_by`` field; or the rows come with the parent's
    pages, whose relationship of the name ``include`` lists them. ``skip``: values of the parent's columns by which it
    is known to have no rows here.
    """

    stream: str
    column: str
    parameter: str | None = None
    filter_by: str | None = None
    include: str | None = None
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def partition(self, id: str) -> Partition:
        """Return the partition of one parent."""
        params = {self.parameter: id} if self.parameter else {}
        return Partition({self.column: id}, params, F(self.filter_by).any([id]) if self.filter_by else None)


@dataclass(frozen=True, slots=True)
class Stream:
    """One of Klaviyo's lists, as data.

    ``action``: None if the rows come with the parent's pages.
    ``time``: the field that finds changed records; a stream without it is read whole and compared.
    ``scan_time``: a time that never changes, by which a full scan can be cut into slices. If it were cut by ``time``, a
    record that changes meanwhile could leave its slice unread, and would look deleted.
    ``sort``: the order of a full scan if there is no ``scan_time``.
    ``page_size``: the largest page that Klaviyo returns, even if it is no parameter; None if that is not known.
    ``deletes``: whether a record that a full scan has not found was deleted, rather than merely too old to be listed.
    ``sliced``: whether its order by time is reliable, so that a window of it may be cut in two.
    ``in_turn``: whether its partitions are read one after the other, in the order of their names, because a record may
    move from one to a later one: if both were read at once, neither might have it, and it would look deleted.
    """

    name: str
    table: Table
    columns: Mapping[str, Take]
    action: Action[Any] | None
    page_size: int | None = None
    time: TimeField | None = None
    scan_time: TimeField | None = None
    sort: str | None = None
    partitions: tuple[Partition, ...] = (Partition(),)
    parent: Parent | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    deletes: bool = True
    sliced: bool = True
    in_turn: bool = False

    def request(
        self,
        partition: Partition,
        by: TimeField | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[str, Any]:
        """Return the parameters of a window's first page; ``by`` is `time` or `scan_time`."""
        assert self.action is not None, f"{self.name} cannot be requested: it comes with {self.parent}"
        params = {**self.params, **partition.params}
        if "page_size" in self.action.declaration.parameters:
            params["page_size"] = self.page_size
        order = by or self.scan_time
        if sort := self.sort if order is None else order.name:
            params["sort"] = sort
        chosen = joined(partition.filter, by.between(since, until) if by else None)
        if chosen is not None:
            params["filter"] = chosen
        return params

    def row(
        self, resource: Resource, partition: Partition, account: str, synced_at: datetime, scan: int | None = None
    ) -> dict[str, Any]:
        """Return a resource as a row; ``scan`` is the run's id if it is a full scan."""
        taken = {name: take(resource) for name, take in self.columns.items()}
        known = {name: value for name, value in partition.values.items() if value is not None}
        return {"account": account, **taken, **known, "synced_at": synced_at, "seen": scan}


def joined(*filters: Filter | None) -> Filter | None:
    """Combine the filters that are not None; None if there is none."""
    conditions = [condition for each in filters if each is not None for condition in each.conditions]
    return Filter(*conditions) if conditions else None
