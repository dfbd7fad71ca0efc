"""The first tables: the streams, the reports, the state of the syncs, and two views."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "moment": sa.DateTime(timezone=True),
    "day": sa.Date(),
    "flag": sa.Boolean(),
    "number": sa.BigInteger(),
    "figure": sa.Float(),
    "json": sa.JSON().with_variant(JSONB(), "postgresql"),
}

#: Name: keys after the account; columns with their types, text where none is named; indexes after the account.
STREAMS = {
    "profiles": (
        "id",
        "email phone_number external_id created:moment updated:moment attributes:json",
        ["email", "phone_number", "external_id", "updated"],
    ),
    "events": (
        "id",
        "metric_id profile_id datetime:moment day:day attributes:json",
        ["metric_id day", "profile_id"],
    ),
    "lists": ("id", "name opt_in_process created:moment updated:moment attributes:json relationships:json", []),
    "list_members": ("list_id profile_id", "joined_at:moment", ["profile_id"]),
    "segments": (
        "id",
        "name is_active:flag is_processing:flag is_starred:flag created:moment updated:moment "
        "attributes:json relationships:json",
        [],
    ),
    "segment_members": ("segment_id profile_id", "joined_at:moment", ["profile_id"]),
    "campaigns": (
        "id",
        "name channel archived:flag status send_time:moment scheduled_at:moment created_at:moment updated_at:moment "
        "attributes:json relationships:json",
        ["channel send_time", "status"],
    ),
    "campaign_messages": (
        "id",
        "campaign_id channel template_id created_at:moment updated_at:moment attributes:json relationships:json",
        ["campaign_id"],
    ),
    "flows": (
        "id",
        "name status archived:flag trigger_type created:moment updated:moment attributes:json relationships:json",
        ["status"],
    ),
    "flow_actions": ("id", "flow_id action_type created:moment updated:moment attributes:json", ["flow_id"]),
    "flow_messages": (
        "id",
        "flow_action_id channel template_id created:moment updated:moment attributes:json",
        ["flow_action_id"],
    ),
    "templates": ("id", "name editor_type created:moment updated:moment attributes:json", []),
    "catalog_items": (
        "id",
        "external_id title price:figure published:flag created:moment updated:moment attributes:json",
        ["external_id"],
    ),
    "catalog_variants": (
        "id",
        "item_id external_id sku title price:figure inventory_quantity:figure published:flag created:moment "
        "updated:moment attributes:json",
        ["item_id", "external_id", "sku"],
    ),
    "catalog_categories": ("id", "external_id name updated:moment attributes:json", ["external_id"]),
    "coupons": ("id", "external_id description attributes:json", ["external_id"]),
    "coupon_codes": (
        "id",
        "coupon_id profile_id unique_code status expires_at:moment attributes:json",
        ["coupon_id status", "profile_id", "unique_code"],
    ),
    "metrics": ("id", "name integration created:moment updated:moment attributes:json", ["name"]),
    "tags": ("id", "name tag_group_id attributes:json", []),
    "tag_groups": ("id", "name exclusive:flag default:flag attributes:json", []),
    "forms": ("id", "name status ab_test:flag created_at:moment updated_at:moment attributes:json", []),
    "images": ("id", "name format size:number hidden:flag image_url updated_at:moment attributes:json", []),
    "webhooks": (
        "id",
        "name endpoint_url enabled:flag created_at:moment updated_at:moment attributes:json relationships:json",
        [],
    ),
    "jobs": (
        "kind id",
        "status total_count:number completed_count:number failed_count:number created_at:moment completed_at:moment "
        "attributes:json relationships:json",
        ["created_at"],
    ),
}

#: Name: what the figures are grouped by.
REPORTS = {
    "campaign_values": "campaign_id campaign_message_id send_channel",
    "flow_values": "flow_id flow_message_id send_channel",
}

VIEWS = (
    "CREATE VIEW current_profiles AS "
    "SELECT account, email, phone_number, external_id, id, created, updated, attributes, synced_at "
    "FROM profiles WHERE deleted_at IS NULL",
    "CREATE VIEW events_by_metric_and_day AS "
    "SELECT events.account, metrics.name AS metric, events.metric_id, events.day, count(*) AS events, "
    "count(DISTINCT events.profile_id) AS profiles "
    "FROM events LEFT JOIN metrics ON metrics.account = events.account AND metrics.id = events.metric_id "
    "WHERE events.deleted_at IS NULL GROUP BY events.account, metrics.name, events.metric_id, events.day",
)


def upgrade() -> None:
    """Make them."""
    for name, (key, columns, indexes) in STREAMS.items():
        seen = "synced_at:moment! deleted_at:moment seen:number"
        _create(name, f"account {key}", f"{columns} {seen}", indexes)
    for name, groups in REPORTS.items():
        key = f"account conversion_metric_id since:day until:day {groups}"
        _create(name, key, "statistics:json! synced_at:moment!", [])
    op.create_table(
        "sync_runs",
        sa.Column("id", NUMBER, nullable=False),
        *_columns(
            "account! stream! direction! mode! started:moment! ended:moment state! rows:number! requests:number! "
            "report:json"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sync_runs"),
    )
    op.create_index("ix_sync_runs_account_stream_id", "sync_runs", ["account", "stream", "id"])
    op.create_table(
        "sync_windows",
        sa.Column("run", NUMBER, nullable=False),
        *_columns("partition!"),
        sa.Column("slice", sa.Integer, nullable=False),
        *_columns("since:moment until:moment"),
        sa.Column("pages", sa.Integer, nullable=False),
        *_columns("rows:number! closed:moment"),
        sa.PrimaryKeyConstraint("run", "partition", "slice", name="pk_sync_windows"),
        sa.ForeignKeyConstraint(["run"], ["sync_runs.id"], name="fk_sync_windows_run", ondelete="CASCADE"),
    )
    _create("watermarks", "account stream partition", "value:moment!", [])
    op.create_table(
        "push_hashes",
        *_columns("account! kind! key!"),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        *_columns("sent_at:moment! seen:number"),
        sa.PrimaryKeyConstraint("account", "kind", "key", name="pk_push_hashes"),
    )
    for view in VIEWS:
        op.execute(view)


def _create(name: str, key: str, columns: str, indexes: list[str]) -> None:
    keys = _columns(" ".join(f"{each}!" for each in key.split()))
    primary = sa.PrimaryKeyConstraint(*(column.name for column in keys), name=f"pk_{name}")
    op.create_table(name, *keys, *_columns(columns), primary)
    for index in indexes:
        op.create_index(f"ix_{name}_{index.replace(' ', '_')}", name, ["account", *index.split()])


def _columns(described: str) -> list[sa.Column[Any]]:
    """Columns out of ``name:type`` for each, with a ``!`` where there is always a value."""
    parts = [(*each.removesuffix("!").partition(":"), each.endswith("!")) for each in described.split()]
    return [sa.Column(name, TYPES[kind or "text"], nullable=not always) for name, _, kind, always in parts]
