"""The store's views, as what can be read and exported. Migrations make them; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, MetaData, Table, Text, select

from schedules.store.types import Document, Moment

#: How many rows are held at once.
BATCH_ROWS = 5_000

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class View:
    """A view: its columns, the streams that its rows come from, and the order in which they are read.

    ``order`` is that of an index: otherwise SQLite would sort all rows in memory.
    """

    table: Table
    streams: tuple[str, ...]
    order: tuple[str, ...]


def _view(name: str, columns: str, streams: str, order: str) -> View:
    # Not among the tables of `schedules.store.tables`, which the database is compared with.
    typed = [
        Column(name, _TYPES[kind or "text"]) for name, _, kind in (each.partition(":") for each in columns.split())
    ]
    return View(Table(name, MetaData(), *typed), tuple(streams.split()), tuple(order.split()))


_TYPES: dict[str, Any] = {
    "text": Text(),
    "moment": Moment(),
    "day": Date(),
    "flag": Boolean(),
    "number": BigInteger(),
    "json": Document,
}

VIEWS = {
    view.table.name: view
    for view in (
        # Each channel and kind of message of each profile, as `subscriptions` tells them. `source` is the method's
        # detail; the suppressions are those that stop every email.
        _view(
            "consent",
            "account profile_id email phone_number channel kind consent since:moment method source can_receive:flag "
            "suppression_reason suppressed_since:moment synced_at:moment",
            "profiles",
            "profile_id",
        ),
        # What stops email to a profile, and since when: from one list or, without `list_id`, altogether.
        _view(
            "suppressions",
            "account profile_id email list_id reason since:moment synced_at:moment",
            "profiles",
            "profile_id",
        ),
        # Who was a member from when to when. `left_before` is the start of the first sync that no longer found them.
        _view(
            "list_memberships",
            "account list_id list profile_id email phone_number joined_at:moment last_seen:moment left_before:moment",
            "lists list_members profiles",
            "list_id profile_id",
        ),
        _view(
            "segment_memberships",
            "account segment_id segment profile_id email phone_number joined_at:moment last_seen:moment "
            "left_before:moment",
            "segments segment_members profiles",
            "segment_id profile_id",
        ),
        _view(
            "current_profiles",
            "account email phone_number external_id id created:moment updated:moment attributes:json synced_at:moment",
            "profiles",
            "id",
        ),
        _view(
            "events_by_metric_and_day",
            "account metric metric_id day:day events:number profiles:number",
            "events metrics",
            "metric_id day",
        ),
    )
}


def read_view(connection: Connection, view: View, account: str) -> Iterator[list[Values]]:
    """Yield an account's rows in batches, in order; the database hands out one batch after the other."""
    table = view.table
    chosen = select(table).where(table.c.account == account).order_by(*(table.c[name] for name in view.order))
    for batch in connection.execute(chosen, execution_options={"yield_per": BATCH_ROWS}).partitions():
        yield [tuple(row) for row in batch]
