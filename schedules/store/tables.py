"""The tables: one for each stream, then those that hold the progress of syncs and pushes.

Times are UTC. In a stream's table, `synced_at` is when the row was read from Klaviyo, `deleted_at` the start of the
full scan that no longer found it, and `seen` the run of the full scan that found it last.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
)

from schedules.store.types import CleanText, Document, Moment, Number

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"})

#: In ``Table.info``: the column that shows which of two rows with the same key is newer.
NEWEST = "newest"

#: A stream's JSON columns: Klaviyo's attributes, and the ids of related resources by relationship.
ATTRIBUTES = ("attributes",)
LINKED = ("attributes", "relationships")

#: Stands in `joined_at`, which is part of a key and so never NULL, if Klaviyo gave no time.
UNKNOWN_JOIN = datetime(1970, 1, 1, tzinfo=UTC)

Columns = list[Column[Any]]


def _words(*names: str) -> Columns:
    return [Column(name, CleanText) for name in names]


def _moments(*names: str) -> Columns:
    return [Column(name, Moment) for name in names]


def _flags(*names: str) -> Columns:
    return [Column(name, Boolean) for name in names]


def _key(*names: str) -> Columns:
    return [Column(name, CleanText, primary_key=True) for name in names]


def _stream(
    name: str,
    columns: Columns,
    *indexes: tuple[str, ...],
    key: tuple[str, ...] = ("id",),
    documents: tuple[str, ...] = ATTRIBUTES,
) -> Table:
    """A stream's table; the account comes first in its key and in each index."""
    return Table(
        name,
        metadata,
        *_key("account", *key),
        *columns,
        *[Column(each, Document) for each in documents],
        Column("synced_at", Moment, nullable=False),
        Column("deleted_at", Moment),
        Column("seen", BigInteger),
        *[Index(f"ix_{name}_{'_'.join(each)}", "account", *each) for each in indexes],
        info={NEWEST: "synced_at"},
    )


def _members(name: str, group: str) -> Table:
    """A table of memberships. Whoever leaves and joins again has another row: the first one ends with `deleted_at`."""
    joined = Column("joined_at", Moment, primary_key=True)
    return _stream(name, [joined], ("profile_id",), key=(group, "profile_id"), documents=())


profiles = _stream(
    "profiles",
    [*_words("email", "phone_number", "external_id"), *_moments("created", "updated")],
    ("email",), ("phone_number",), ("external_id",), ("updated",),
)  # fmt: skip
#: `day` is the day of `datetime` in UTC.
events = _stream(
    "events",
    [*_words("metric_id", "profile_id"), *_moments("datetime"), Column("day", Date)],
    ("metric_id", "day"), ("profile_id",),
)  # fmt: skip
lists = _stream("lists", [*_words("name", "opt_in_process"), *_moments("created", "updated")], documents=LINKED)
list_members = _members("list_members", "list_id")
segments = _stream(
    "segments",
    [*_words("name"), *_flags("is_active", "is_processing", "is_starred"), *_moments("created", "updated")],
    documents=LINKED,
)
segment_members = _members("segment_members", "segment_id")
campaigns = _stream(
    "campaigns",
    [
        *_words("name", "channel"), *_flags("archived"), *_words("status"),
        *_moments("send_time", "scheduled_at", "created_at", "updated_at"),
    ],
    ("channel", "send_time"), ("status",),
    documents=LINKED,
)  # fmt: skip
campaign_messages = _stream(
    "campaign_messages",
    [*_words("campaign_id", "channel", "template_id"), *_moments("created_at", "updated_at")],
    ("campaign_id",),
    documents=LINKED,
)
flows = _stream(
    "flows",
    [*_words("name", "status"), *_flags("archived"), *_words("trigger_type"), *_moments("created", "updated")],
    ("status",),
    documents=LINKED,
)
flow_actions = _stream(
    "flow_actions", [*_words("flow_id", "action_type"), *_moments("created", "updated")], ("flow_id",)
)
flow_messages = _stream(
    "flow_messages",
    [*_words("flow_action_id", "channel", "template_id"), *_moments("created", "updated")],
    ("flow_action_id",),
)
templates = _stream("templates", [*_words("name", "editor_type"), *_moments("created", "updated")])
catalog_items = _stream(
    "catalog_items",
    [*_words("external_id", "title"), Column("price", Float), *_flags("published"), *_moments("created", "updated")],
    ("external_id",),
)
catalog_variants = _stream(
    "catalog_variants",
    [
        *_words("item_id", "external_id", "sku", "title"), Column("price", Float),
        Column("inventory_quantity", Float), *_flags("published"), *_moments("created", "updated"),
    ],
    ("item_id",), ("external_id",), ("sku",),
)  # fmt: skip
catalog_categories = _stream(
    "catalog_categories", [*_words("external_id", "name"), *_moments("updated")], ("external_id",)
)
coupons = _stream("coupons", _words("external_id", "description"), ("external_id",))
coupon_codes = _stream(
    "coupon_codes",
    [*_words("coupon_id", "profile_id", "unique_code", "status"), *_moments("expires_at")],
    ("coupon_id", "status"), ("profile_id",), ("unique_code",),
)  # fmt: skip
metrics = _stream("metrics", [*_words("name", "integration"), *_moments("created", "updated")], ("name",))
tags = _stream("tags", _words("name", "tag_group_id"))
tag_groups = _stream("tag_groups", [*_words("name"), *_flags("exclusive", "default")])
forms = _stream("forms", [*_words("name", "status"), *_flags("ab_test"), *_moments("created_at", "updated_at")])
images = _stream(
    "images",
    [*_words("name", "format"), Column("size", BigInteger), *_flags("hidden"), *_words("image_url"),
     *_moments("updated_at")],
)  # fmt: skip
webhooks = _stream(
    "webhooks",
    [*_words("name", "endpoint_url"), *_flags("enabled"), *_moments("created_at", "updated_at")],
    documents=LINKED,
)
#: `kind` is the resource's type, ``catalog-item-bulk-create-job``.
jobs = _stream(
    "jobs",
    [
        *_words("status"), *[Column(each, BigInteger) for each in ("total_count", "completed_count", "failed_count")],
        *_moments("created_at", "completed_at"),
    ],
    ("created_at",),
    key=("kind", "id"),
    documents=LINKED,
)  # fmt: skip


def _values(name: str, *groups: str) -> Table:
    """The results in a report: the statistics of one group from `since` up to, but not including, `until`.

    The days are in the account's time zone, as Klaviyo reads them; conversions are those of the metric.
    """
    return Table(
        name,
        metadata,
        *_key("account", "conversion_metric_id"),
        Column("since", Date, primary_key=True),
        Column("until", Date, primary_key=True),
        *_key(*groups),
        Column("statistics", Document, nullable=False),
        Column("synced_at", Moment, nullable=False),
        info={NEWEST: "synced_at"},
    )


campaign_values = _values("campaign_values", "campaign_id", "campaign_message_id", "send_channel")
flow_values = _values("flow_values", "flow_id", "flow_message_id", "send_channel")


#: A run of a sync or a push. What a push counts and a pull does not is in `report`.
sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", Number, primary_key=True),
    Column("account", CleanText, nullable=False),
    Column("stream", CleanText, nullable=False),
    Column("direction", CleanText, nullable=False),
    Column("mode", CleanText, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("state", CleanText, nullable=False),
    Column("rows", BigInteger, nullable=False, default=0),
    Column("requests", BigInteger, nullable=False, default=0),
    Column("report", Document),
    Index("ix_sync_runs_account_stream_id", "account", "stream", "id"),
)
#: A part of a run that is read from its first page to its last: a partition, or a slice of its time.
sync_windows = Table(
    "sync_windows",
    metadata,
    Column("run", Number, ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("partition", CleanText, primary_key=True),
    Column("slice", Integer, primary_key=True),
    Column("since", Moment),
    Column("until", Moment),
    Column("pages", Integer, nullable=False, default=0),
    Column("rows", BigInteger, nullable=False, default=0),
    Column("closed", Moment),
)
#: The time up to which a partition has been read whole. A stream without partitions has one whose name is empty.
watermarks = Table(
    "watermarks",
    metadata,
    *_key("account", "stream", "partition"),
    Column("value", Moment, nullable=False),
    info={NEWEST: "value"},
)
#: A digest of what was last sent of each record of a source, and the push run that last found the record there.
push_hashes = Table(
    "push_hashes",
    metadata,
    *_key("account", "kind", "key"),
    Column("digest", LargeBinary, nullable=False),
    Column("sent_at", Moment, nullable=False),
    Column("seen", BigInteger),
    info={NEWEST: "sent_at"},
)
#: A part of a push in flight: for each row its number, key and digest, and whether Klaviyo had the record. `id` is that
#: of the job in the ledger. It is here from before the job is opened until its outcome is known.
push_parts = Table(
    "push_parts",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("run", Number, ForeignKey("sync_runs.id", ondelete="CASCADE"), nullable=False),
    Column("rows", Document, nullable=False),
    Index("ix_push_parts_run", "run"),
)
