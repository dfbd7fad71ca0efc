"""Every stream that can be copied into the store, in one table: what Klaviyo lets us ask, and what becomes of it.

What the rows stand on was read from Klaviyo's documentation and from what others have met in production:

- `updated` of profiles, lists and segments takes only "greater than"; lists and segments have no upper bound at all.
- Events are dated by who sends them: late, and into the future.
- Campaigns are listed by channel only, and whether archived ones are among them depends on saying so.
- When a list was joined can be filtered by, when it was left cannot: members are always read whole.
- The catalog, coupons, metrics, tags, webhooks and jobs have no time to filter by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from sqlalchemy import Table

from schedules.pull.resources import (
    Resource,
    Take,
    attributes,
    counts,
    day,
    figures,
    flags,
    linked,
    moment,
    moments,
    related,
    relationships,
    text,
    texts,
)
from schedules.pull.stream import Parent, Partition, Stream, TimeField
from schedules.store import tables
from tasks.campaigns import get_campaigns
from tasks.catalog_categories import (
    get_bulk_create_categories_jobs,
    get_bulk_delete_categories_jobs,
    get_bulk_update_categories_jobs,
    get_catalog_categories,
)
from tasks.catalog_items import (
    get_bulk_create_catalog_items_jobs,
    get_bulk_delete_catalog_items_jobs,
    get_bulk_update_catalog_items_jobs,
    get_catalog_items,
)
from tasks.catalog_variants import (
    get_bulk_create_variants_jobs,
    get_bulk_delete_variants_jobs,
    get_bulk_update_variants_jobs,
    get_catalog_variants,
)
from tasks.coupons import get_bulk_create_coupon_code_jobs, get_coupon_codes, get_coupons
from tasks.events import get_events
from tasks.flows import get_actions_for_flow, get_flow_action_messages, get_flows
from tasks.forms import get_forms
from tasks.images import get_images
from tasks.lists import get_lists, get_profiles_for_list
from tasks.metrics import get_metrics
from tasks.profiles import (
    get_bulk_import_profiles_jobs,
    get_bulk_suppress_profiles_jobs,
    get_bulk_unsuppress_profiles_jobs,
    get_profiles,
)
from tasks.segments import get_profiles_for_segment, get_segments
from tasks.tags import get_tag_groups, get_tags
from tasks.templates import get_templates
from tasks.webhooks import get_webhooks
from worker.action import Action
from worker.api.filters import F
from worker.api.paging import page_items


def _id(resource: Resource) -> Any:
    return resource["id"]


def _type(resource: Resource) -> Any:
    return resource["type"]


RESOURCE: dict[str, Take] = {"id": _id, "attributes": attributes}
LINKED: dict[str, Take] = {**RESOURCE, "relationships": relationships}
MEMBER: dict[str, Take] = {"profile_id": _id, "joined_at": moment("joined_group_at")}
JOB: dict[str, Take] = {
    **LINKED,
    "kind": _type,
    **texts("status"),
    **counts("total_count", "completed_count", "failed_count"),
    **moments("created_at", "completed_at"),
}

#: What is archived while the others are read is found among the archived ones, whose turn comes after them.
CAMPAIGNS = tuple(
    Partition(
        {"channel": channel, "archived": archived},
        filter=F("messages.channel").equals(channel) & F("archived").equals(archived),
    )
    for archived, channel in product((False, True), ("email", "sms", "mobile_push"))
)

#: Actions of a flow that have no message to read. Of a kind that is not here the messages are asked for.
SILENT = (
    "ab-test", "action-output-split", "back-in-stock-delay", "code", "conditional-split", "content-experiment",
    "countdown-delay", "internal-service", "list-update", "multi-branch-split", "target-date", "time-delay",
    "trigger-split", "update-profile",
)  # fmt: skip

#: The lists of jobs, each with the order it can have. Klaviyo forgets a job after some days; the store does not.
JOBS: dict[str, tuple[Action[Any], str | None]] = {
    "profile-bulk-import": (get_bulk_import_profiles_jobs, "created_at"),
    "profile-suppression-bulk-create": (get_bulk_suppress_profiles_jobs, "created"),
    "profile-suppression-bulk-delete": (get_bulk_unsuppress_profiles_jobs, "created"),
    "catalog-item-bulk-create": (get_bulk_create_catalog_items_jobs, None),
    "catalog-item-bulk-update": (get_bulk_update_catalog_items_jobs, None),
    "catalog-item-bulk-delete": (get_bulk_delete_catalog_items_jobs, None),
    "catalog-variant-bulk-create": (get_bulk_create_variants_jobs, None),
    "catalog-variant-bulk-update": (get_bulk_update_variants_jobs, None),
    "catalog-variant-bulk-delete": (get_bulk_delete_variants_jobs, None),
    "catalog-category-bulk-create": (get_bulk_create_categories_jobs, None),
    "catalog-category-bulk-update": (get_bulk_update_categories_jobs, None),
    "catalog-category-bulk-delete": (get_bulk_delete_categories_jobs, None),
    "coupon-code-bulk-create": (get_bulk_create_coupon_code_jobs, None),
}

_ALL = (
    Stream(
        "profiles",
        tables.profiles,
        RESOURCE | texts("email", "phone_number", "external_id") | moments("created", "updated"),
        get_profiles,
        page_size=100,
        time=TimeField("updated", lower="greater-than"),
        born=TimeField("created", lower="greater-than"),
        params={"additional_fields_profile": ["subscriptions"]},
    ),
    Stream(
        "events",
        tables.events,
        RESOURCE
        | moments("datetime")
        | {"metric_id": linked("metric"), "profile_id": linked("profile"), "day": day("datetime")},
        get_events,
        page_size=1000,
        time=TimeField("datetime", look_back=timedelta(days=1)),
        born=TimeField("datetime"),
    ),
    Stream(
        "lists",
        tables.lists,
        LINKED | texts("name", "opt_in_process") | moments("created", "updated"),
        get_lists,
        page_size=10,
        time=TimeField("updated", lower="greater-than", upper=None),
        sort="id",
        params={"include": ["tags"]},
    ),
    Stream(
        "list_members",
        tables.list_members,
        MEMBER,
        get_profiles_for_list,
        page_size=100,
        sort="joined_group_at",
        parent=Parent("lists", "list_id", parameter="id"),
        params={"fields_profile": ["joined_group_at"]},
    ),
    Stream(
        "segments",
        tables.segments,
        LINKED | texts("name") | flags("is_active", "is_processing", "is_starred") | moments("created", "updated"),
        get_segments,
        page_size=10,
        time=TimeField("updated", lower="greater-than", upper=None),
        sort="id",
        params={"include": ["tags"]},
    ),
    Stream(
        "segment_members",
        tables.segment_members,
        MEMBER,
        get_profiles_for_segment,
        page_size=100,
        sort="joined_group_at",
        parent=Parent("segments", "segment_id", parameter="id"),
        params={"fields_profile": ["joined_group_at"]},
    ),
    Stream(
        "campaigns",
        tables.campaigns,
        LINKED
        | texts("name", "status")
        | flags("archived")
        | moments("send_time", "scheduled_at", "created_at", "updated_at"),
        get_campaigns,
        page_size=100,
        time=TimeField("updated_at"),
        born=TimeField("created_at"),
        partitions=CAMPAIGNS,
        sliced=False,  # archived ones come slightly out of order
        in_turn=True,
        params={"include": ["campaign-messages", "tags"]},
    ),
    Stream(
        "campaign_messages",
        tables.campaign_messages,
        LINKED
        | moments("created_at", "updated_at")
        | {"channel": text("definition.channel"), "template_id": linked("template")},
        None,
        parent=Parent("campaigns", "campaign_id", include="campaign-messages"),
    ),
    Stream(
        "flows",
        tables.flows,
        LINKED | texts("name", "status", "trigger_type") | flags("archived") | moments("created", "updated"),
        get_flows,
        page_size=50,
        time=TimeField("updated"),
        born=TimeField("created"),
        params={"include": ["tags"]},
    ),
    Stream(
        "flow_actions",
        tables.flow_actions,
        RESOURCE | moments("created", "updated") | {"action_type": text("definition.type")},
        get_actions_for_flow,
        page_size=50,
        sort="created",
        parent=Parent("flows", "flow_id", parameter="id"),
    ),
    Stream(
        "flow_messages",
        tables.flow_messages,
        RESOURCE | texts("channel") | moments("created", "updated") | {"template_id": linked("template")},
        get_flow_action_messages,
        page_size=50,
        sort="created",
        parent=Parent("flow_actions", "flow_action_id", parameter="id", skip={"action_type": SILENT}),
    ),
    Stream(
        "templates",
        tables.templates,
        RESOURCE | texts("name", "editor_type") | moments("created", "updated"),
        get_templates,
        page_size=10,
        time=TimeField("updated"),
        born=TimeField("created"),
    ),
    Stream(
        "catalog_items",
        tables.catalog_items,
        RESOURCE
        | texts("external_id", "title")
        | figures("price")
        | flags("published")
        | moments("created", "updated"),
        get_catalog_items,
        page_size=100,
        sort="created",
    ),
    Stream(
        "catalog_variants",
        tables.catalog_variants,
        RESOURCE
        | texts("external_id", "sku", "title")
        | figures("price", "inventory_quantity")
        | flags("published")
        | moments("created", "updated")
        | {"item_id": linked("item")},
        get_catalog_variants,
        page_size=100,
        sort="created",
    ),
    Stream(
        "catalog_categories",
        tables.catalog_categories,
        RESOURCE | texts("external_id", "name") | moments("updated"),
        get_catalog_categories,
        page_size=100,
        sort="created",
    ),
    Stream("coupons", tables.coupons, RESOURCE | texts("external_id", "description"), get_coupons, page_size=100),
    Stream(
        "coupon_codes",
        tables.coupon_codes,
        RESOURCE | texts("unique_code", "status") | moments("expires_at") | {"profile_id": linked("profile")},
        # Nearly five times the budget of `get_coupon_codes_for_coupon`.
        get_coupon_codes,
        page_size=100,
        parent=Parent("coupons", "coupon_id", filter_by="coupon.id"),
    ),
    Stream(
        "metrics",
        tables.metrics,
        RESOURCE | texts("name") | moments("created", "updated") | {"integration": text("integration.name")},
        get_metrics,
        page_size=200,
    ),
    Stream(
        "tags",
        tables.tags,
        RESOURCE | texts("name") | {"tag_group_id": linked("tag-group")},
        get_tags,
        page_size=50,
        sort="id",
        params={"include": ["tag-group"]},
    ),
    Stream(
        "tag_groups",
        tables.tag_groups,
        RESOURCE | texts("name") | flags("exclusive", "default"),
        get_tag_groups,
        page_size=25,
        sort="id",
    ),
    Stream(
        "forms",
        tables.forms,
        RESOURCE | texts("name", "status") | flags("ab_test") | moments("created_at", "updated_at"),
        get_forms,
        page_size=100,
        time=TimeField("updated_at"),
        born=TimeField("created_at"),
    ),
    Stream(
        "images",
        tables.images,
        RESOURCE | texts("name", "format", "image_url") | counts("size") | flags("hidden") | moments("updated_at"),
        get_images,
        page_size=100,
        time=TimeField("updated_at"),
        sort="id",
    ),
    Stream(
        "webhooks",
        tables.webhooks,
        LINKED | texts("name", "endpoint_url") | flags("enabled") | moments("created_at", "updated_at"),
        get_webhooks,
        params={"include": ["webhook-topics"]},
    ),
    *(
        Stream(
            f"jobs:{kind}",
            tables.jobs,
            JOB,
            action,
            page_size=None if kind.startswith("profile-suppression") else 100,
            sort=sort,
            deletes=False,
        )
        for kind, (action, sort) in JOBS.items()
    ),
)

#: All streams by name, parents before what hangs on them. Their tables are called the same; jobs share one.
STREAMS: dict[str, Stream] = {stream.name: stream for stream in _ALL}


def rows(
    stream: Stream,
    envelope: Mapping[str, Any],
    partition: Partition,
    account: str,
    synced_at: datetime,
    scan: int | None = None,
) -> dict[Table, list[dict[str, Any]]]:
    """What a page holds, by table: the stream's own rows, and those of streams that come with it."""
    resources = page_items(envelope)
    found = {stream.table: [stream.row(each, partition, account, synced_at, scan) for each in resources]}
    included = {(each["type"], each["id"]): each for each in envelope.get("included") or ()}
    for child in STREAMS.values():
        parent = child.parent
        if parent and parent.include and parent.stream == stream.name:
            found[child.table] = [
                child.row(included[key], parent.partition(resource["id"]), account, synced_at, scan)
                for resource in resources
                for key in related(resource, parent.include)
                if key in included
            ]
    return found
