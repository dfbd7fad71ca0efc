"""Views of consent, suppressions and memberships; a membership that has ended stays when its profile joins again."""

# ruff: noqa: S608  the statements are put together from what stands here

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

#: The tables of members, what they are members of, and the column of its id.
GROUPS = (("list", "lists", "list_members", "list_id"), ("segment", "segments", "segment_members", "segment_id"))

#: Stands for the time of joining where none is known: a key is never NULL.
UNKNOWN_JOIN = datetime(1970, 1, 1, tzinfo=UTC)

#: The same attribute by the channel and kind that has it.
CAN_RECEIVE = (
    "can_receive", "can_receive_email_marketing", "can_receive_sms_marketing", "can_receive_sms_transactional",
    "can_receive_push_marketing",
)  # fmt: skip

#: What the databases write differently. A value of another type than Klaviyo documents is NULL.
DIALECTS = {
    "sqlite": {
        "unknown_join": "'1970-01-01 00:00:00.000000'",
        # `json_each` refuses a bare string, and such is the value of a JSON string.
        "kinds": "json_each(p.attributes, '$.subscriptions') AS c, "
        "json_each(CASE c.type WHEN 'object' THEN c.value ELSE '{}' END) AS k",
        "is_kind": "k.type = 'object'",
        "reasons": "SELECT group_concat(json_extract(s.value, '$.reason'), ', ') "
        "FROM json_each(k.value, '$.suppression') AS s WHERE s.type = 'object'",
        "earliest": "SELECT min({moment}) FROM json_each(k.value, '$.suppression') AS s WHERE s.type = 'object'",
        "suppressions": "json_each(p.attributes, '$.subscriptions.email.marketing') AS k, "
        "json_each(CASE k.type WHEN 'array' THEN k.value ELSE '[]' END) AS s",
        "is_suppression": "k.key IN ('suppression', 'list_suppressions') AND s.type = 'object'",
        "text": "CAST(json_extract({of}.value, '$.{name}') AS TEXT)",
        # As the store writes times: in UTC, with six digits, so that they compare as text.
        "moment": "CASE WHEN json_extract({of}.value, '$.{name}') GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-*' "
        "THEN strftime('%Y-%m-%d %H:%M:%f000', json_extract({of}.value, '$.{name}')) END",
        "flag": "CASE json_type({of}.value, '$.{name}') WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    },
    "postgresql": {
        "unknown_join": "'1970-01-01 00:00:00+00'",
        "kinds": "LATERAL jsonb_each(CASE jsonb_typeof(p.attributes -> 'subscriptions') WHEN 'object' "
        "THEN p.attributes -> 'subscriptions' ELSE '{}' END) AS c, "
        "LATERAL jsonb_each(CASE jsonb_typeof(c.value) WHEN 'object' THEN c.value ELSE '{}' END) AS k",
        "is_kind": "jsonb_typeof(k.value) = 'object'",
        "reasons": "SELECT string_agg(s.value ->> 'reason', ', ' ORDER BY s.place) "
        "FROM jsonb_path_query(k.value, '$.suppression[*]') WITH ORDINALITY AS s(value, place)",
        "earliest": "SELECT min({moment}) FROM jsonb_path_query(k.value, '$.suppression[*]') AS s(value)",
        "suppressions": "LATERAL ("
        "SELECT jsonb_path_query(p.attributes, '$.subscriptions.email.marketing.suppression[*]') "
        "UNION ALL SELECT jsonb_path_query(p.attributes, '$.subscriptions.email.marketing.list_suppressions[*]')) "
        "AS s(value)",
        "is_suppression": "jsonb_typeof(s.value) = 'object'",
        "text": "{of}.value ->> '{name}'",
        # Klaviyo's times without an offset are in UTC; PostgreSQL would take them for the session's.
        "moment": r"CASE WHEN {of}.value ->> '{name}' ~ '^[1-9]\d{{3}}-(0[1-9]|1[0-2])-\d\d[T ]\d\d:\d\d' THEN "
        r"({of}.value ->> '{name}' || CASE WHEN {of}.value ->> '{name}' ~ '(Z|[+-]\d\d:?\d\d)$' "
        "THEN '' ELSE 'Z' END)::timestamptz END",
        "flag": "CASE {of}.value ->> '{name}' WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END",
    },
}

#: As before, but grouped by columns of an index: SQLite then needs no copy of all events in memory.
EVENTS_BY_METRIC_AND_DAY = (
    "CREATE VIEW events_by_metric_and_day AS SELECT e.account, "
    "(SELECT m.name FROM metrics AS m WHERE m.account = e.account AND m.id = e.metric_id) AS metric, "
    "e.metric_id, e.day, count(*) AS events, count(DISTINCT e.profile_id) AS profiles "
    "FROM events AS e WHERE e.deleted_at IS NULL GROUP BY e.account, e.metric_id, e.day"
)


def upgrade() -> None:
    """Make each row of members a membership, then make the views."""
    for _, _, table, group in GROUPS:
        old = sa.table(table, sa.column("joined_at", sa.DateTime(timezone=True)))
        op.execute(sa.update(old).where(old.c.joined_at.is_(None)).values(joined_at=UNKNOWN_JOIN))
        with op.batch_alter_table(table) as members:
            members.drop_constraint(f"pk_{table}", type_="primary")
            members.alter_column("joined_at", existing_type=sa.DateTime(timezone=True), nullable=False)
            members.create_primary_key(f"pk_{table}", ["account", group, "profile_id", "joined_at"])
    op.execute("DROP VIEW events_by_metric_and_day")
    for view in _views(op.get_bind().dialect.name):
        # As it is: SQLAlchemy would take some of its colons for parameters.
        op.get_bind().exec_driver_sql(view)


def _views(dialect: str) -> list[str]:
    of = DIALECTS[dialect]

    def text(name: str, of_what: str = "k") -> str:
        return of["text"].format(of=of_what, name=name)

    def moment(name: str, of_what: str = "k") -> str:
        return of["moment"].format(of=of_what, name=name)

    can_receive = ", ".join(of["flag"].format(of="k", name=name) for name in CAN_RECEIVE)
    consent = (
        "CREATE VIEW consent AS SELECT p.account, p.id AS profile_id, p.email, p.phone_number, "
        f"c.key AS channel, k.key AS kind, {text('consent')} AS consent, {moment('consent_timestamp')} AS since, "
        f"{text('method')} AS method, coalesce({text('custom_method_detail')}, {text('method_detail')}) AS source, "
        f"coalesce({can_receive}) AS can_receive, ({of['reasons']}) AS suppression_reason, "
        f"({of['earliest'].format(moment=moment('timestamp', 's'))}) AS suppressed_since, p.synced_at "
        f"FROM profiles AS p, {of['kinds']} WHERE p.deleted_at IS NULL AND {of['is_kind']}"
    )
    suppressions = (
        f"CREATE VIEW suppressions AS SELECT p.account, p.id AS profile_id, p.email, "
        f"{text('list_id', 's')} AS list_id, {text('reason', 's')} AS reason, {moment('timestamp', 's')} AS since, "
        f"p.synced_at FROM profiles AS p, {of['suppressions']} WHERE p.deleted_at IS NULL AND {of['is_suppression']}"
    )
    memberships = [
        f"CREATE VIEW {kind}_memberships AS SELECT m.account, m.{group}, g.name AS {kind}, m.profile_id, p.email, "
        f"p.phone_number, nullif(m.joined_at, {of['unknown_join']}) AS joined_at, "
        "CASE WHEN m.deleted_at IS NULL THEN m.synced_at ELSE r.started END AS last_seen, "
        "m.deleted_at AS left_before "
        f"FROM {table} AS m LEFT JOIN {groups} AS g ON g.account = m.account AND g.id = m.{group} "
        "LEFT JOIN profiles AS p ON p.account = m.account AND p.id = m.profile_id "
        "LEFT JOIN sync_runs AS r ON r.id = m.seen"
        for kind, groups, table, group in GROUPS
    ]
    return [consent, suppressions, *memberships, EVENTS_BY_METRIC_AND_DAY]
