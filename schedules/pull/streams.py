"""Every stream that can be copied into the store: how Klaviyo lets us request it, and which columns it fills.

The definitions follow Klaviyo's documentation and what others have met in production:

- `updated` of profiles, lists and segments takes only "greater than"; lists and segments have no upper bound at all.
- Events are dated by whoever sends them: they may arrive late, or be dated in the future.
- Campaigns are listed by channel only, and archived ones only if the filter says so.
- Members can be filtered by when they joined, not by when they left: they are always read whole.
- The catalog, coupons, metrics, tags, webhooks and jobs have no time to filter by.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

from schedules.pull.definition import Parent, Partition, Stream
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
    relationships,
    text,
    texts,
)
from schedules.pull.watermark import TimeField
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


def _id(resource: Resource) -> Any:
    return resource["id"]


def _type(resource: Resource) -> Any:
    return resource["type"]


def _joined_at(resource: Resource) -> Any:
    return _joined_group_at(resource) or tables.UNKNOWN_JOIN


_joined_group_at = moment("joined_group_at")

RESOURCE_COLUMNS: dict[str, Take] = {"id": _id, "attributes": attributes}
LINKED_COLUMNS: dict[str, Take] = {**RESOURCE_COLUMNS, "relationships": relationships}
MEMBER_COLUMNS: dict[str, Take] = {"profile_id": _id, "joined_at": _joined_at}
JOB_COLUMNS: dict[str, Take] = {
    **LINKED_COLUMNS,
    "kind": _type,
    **texts("status"),
    **counts("total_count", "completed_count", "failed_count"),
    **moments("created_at", "completed_at"),
}

#: The archived campaigns come last: one that is archived during the run is then found among them.
CAMPAIGNS = tuple(
    Partition(
        {"channel": channel, "archived": archived},
        filter=F("messages.channel").equals(channel) & F("archived").equals(archived),
    )
    for archived, channel in product((False, True), ("email", "sms", "mobile_push"))
)

#: Types of flow actions that have no messages. For any other type, the messages are requested.
MESSAGELESS = (
    "ab-test", "action-output-split", "back-in-stock-delay", "code", "conditional-split", "content-experiment",
    "countdown-delay", "internal-service", "list-update", "multi-branch-split", "target-date", "time-delay",
    "trigger-split", "update-profile",
)  # fmt: skip

#: The lists of jobs, each with the only order it can have. Klaviyo forgets a job after some days; the store keeps it.
JOB_LISTS: dict[str, tuple[Action[Any], str | None]] = {
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
        RESOURCE_COLUMNS | texts("email", "phone_number", "external_id") | moments("created", "updated"),
        get_profiles,
        page_size=100,
        time=TimeField("updated", lower="greater-than"),
        scan_time=TimeField("created", lower="greater-than"),
        params={"additional_fields_profile": ["subscriptions"]},
    ),
    Stream(
        "events",
        tables.events,
        RESOURCE_COLUMNS
        | moments("datetime")
        | {"metric_id": linked("metric"), "profile_id": linked("profile"), "day": day("datetime")},
        get_events,
        page_size=1000,
        time=TimeField("datetime", look_back=timedelta(days=1)),
        scan_time=TimeField("datetime"),
    ),
    Stream(
        "lists",
        tables.lists,
        LINKED_COLUMNS | texts("name", "opt_in_process") | moments("created", "updated"),
        get_lists,
        page_size=10,
        time=TimeField("updated", lower="greater-than", upper=None),
        sort="id",
        params={"include": ["tags"]},
    ),
    Stream(
        "list_members",
        tables.list_members,
        MEMBER_COLUMNS,
        get_profiles_for_list,
        page_size=100,
        sort="joined_group_at",
        parent=Parent("lists", "list_id", parameter="id"),
        params={"fields_profile": ["joined_group_at"]},
    ),
    Stream(
        "segments",
        tables.segments,
        LINKED_COLUMNS
        | texts("name")
        | flags("is_active", "is_processing", "is_starred")
        | moments("created", "updated"),
        get_segments,
        page_size=10,
        time=TimeField("updated", lower="greater-than", upper=None),
        sort="id",
        params={"include": ["tags"]},
    ),
    Stream(
        "segment_members",
        tables.segment_members,
        MEMBER_COLUMNS,
        get_profiles_for_segment,
        page_size=100,
        sort="joined_group_at",
        parent=Parent("segments", "segment_id", parameter="id"),
        params={"fields_profile": ["joined_group_at"]},
    ),
    Stream(
        "campaigns",
        tables.campaigns,
        LINKED_COLUMNS
        | texts("name", "status")
        | flags("archived")
        | moments("send_time", "scheduled_at", "created_at", "updated_at"),
        get_campaigns,
        page_size=100,
        time=TimeField("updated_at"),
        scan_time=TimeField("created_at"),
        partitions=CAMPAIGNS,
        sliced=False,  # archived campaigns come slightly out of order
        in_turn=True,
        params={"include": ["campaign-messages", "tags"]},
    ),
    Stream(
        "campaign_messages",
        tables.campaign_messages,
        LINKED_COLUMNS
        | moments("created_at", "updated_at")
        | {"channel": text("definition.channel"), "template_id": linked("template")},
        None,
        parent=Parent("campaigns", "campaign_id", include="campaign-messages"),
    ),
    Stream(
        "flows",
        tables.flows,
        LINKED_COLUMNS | texts("name", "status", "trigger_type") | flags("archived") | moments("created", "updated"),
        get_flows,
        page_size=50,
        time=TimeField("updated"),
        scan_time=TimeField("created"),
        params={"include": ["tags"]},
    ),
    Stream(
        "flow_actions",
        tables.flow_actions,
        RESOURCE_COLUMNS | moments("created", "updated") | {"action_type": text("definition.type")},
        get_actions_for_flow,
        page_size=50,
        sort="created",
        parent=Parent("flows", "flow_id", parameter="id"),
    ),
    Stream(
        "flow_messages",
        tables.flow_messages,
        RESOURCE_COLUMNS | texts("channel") | moments("created", "updated") | {"template_id": linked("template")},
        get_flow_action_messages,
        page_size=50,
        sort="created",
        parent=Parent("flow_actions", "flow_action_id", parameter="id", skip={"action_type": MESSAGELESS}),
    ),
    Stream(
        "templates",
        tables.templates,
        RESOURCE_COLUMNS | texts("name", "editor_type") | moments("created", "updated"),
        get_templates,
        page_size=10,
        time=TimeField("updated"),
        scan_time=TimeField("created"),
    ),
    Stream(
        "catalog_items",
        tables.catalog_items,
        RESOURCE_COLUMNS
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
        RESOURCE_COLUMNS
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
        RESOURCE_COLUMNS | texts("external_id", "name") | moments("updated"),
        get_catalog_categories,
        page_size=100,
        sort="created",
    ),
    Stream(
        "coupons", tables.coupons, RESOURCE_COLUMNS | texts("external_id", "description"), get_coupons, page_size=100
    ),
    Stream(
        "coupon_codes",
        tables.coupon_codes,
        RESOURCE_COLUMNS | texts("unique_code", "status") | moments("expires_at") | {"profile_id": linked("profile")},
        # It has nearly five times the budget of `get_coupon_codes_for_coupon`.
        get_coupon_codes,
        page_size=100,
        parent=Parent("coupons", "coupon_id", filter_by="coupon.id"),
    ),
    Stream(
        "metrics",
        tables.metrics,
        RESOURCE_COLUMNS | texts("name") | moments("created", "updated") | {"integration": text("integration.name")},
        get_metrics,
        page_size=200,
    ),
    Stream(
        "tags",
        tables.tags,
        RESOURCE_COLUMNS | texts("name") | {"tag_group_id": linked("tag-group")},
        get_tags,
        page_size=50,
        sort="id",
        params={"include": ["tag-group"]},
    ),
    Stream(
        "tag_groups",
        tables.tag_groups,
        RESOURCE_COLUMNS | texts("name") | flags("exclusive", "default"),
        get_tag_groups,
        page_size=25,
        sort="id",
    ),
    Stream(
        "forms",
        tables.forms,
        RESOURCE_COLUMNS | texts("name", "status") | flags("ab_test") | moments("created_at", "updated_at"),
        get_forms,
        page_size=100,
        time=TimeField("updated_at"),
        scan_time=TimeField("created_at"),
    ),
    Stream(
        "images",
        tables.images,
        RESOURCE_COLUMNS
        | texts("name", "format", "image_url")
        | counts("size")
        | flags("hidden")
        | moments("updated_at"),
        get_images,
        page_size=100,
        time=TimeField("updated_at"),
        sort="id",
    ),
    Stream(
        "webhooks",
        tables.webhooks,
        LINKED_COLUMNS | texts("name", "endpoint_url") | flags("enabled") | moments("created_at", "updated_at"),
        get_webhooks,
        params={"include": ["webhook-topics"]},
    ),
    *(
        Stream(
            f"jobs:{kind}",
            tables.jobs,
            JOB_COLUMNS,
            action,
            page_size=None if kind.startswith("profile-suppression") else 100,
            sort=sort,
            deletes=False,
        )
        for kind, (action, sort) in JOB_LISTS.items()
    ),
)

#: All streams by name, parents before their children. Their tables have the same names; the streams of jobs share one.
STREAMS: dict[str, Stream] = {stream.name: stream for stream in _ALL}
