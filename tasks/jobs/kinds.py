"""The kinds of asynchronous jobs, as data: how one is begun and polled, and where its errors and result are.

Klaviyo's jobs end as `complete`, with a count of the records that failed, or as `cancelled`. Kinds without `status` are
accepted and cannot be followed: `accepted` is the last that Klaviyo says of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.campaigns import (
    get_campaign_recipient_estimation,
    get_campaign_recipient_estimation_job,
    get_campaign_send_job,
    refresh_campaign_recipient_estimation,
    send_campaign,
)
from tasks.catalog_categories import (
    bulk_create_catalog_categories,
    bulk_delete_catalog_categories,
    bulk_update_catalog_categories,
    get_bulk_create_categories_job,
    get_bulk_create_categories_jobs,
    get_bulk_delete_categories_job,
    get_bulk_delete_categories_jobs,
    get_bulk_update_categories_job,
    get_bulk_update_categories_jobs,
)
from tasks.catalog_items import (
    bulk_create_catalog_items,
    bulk_delete_catalog_items,
    bulk_update_catalog_items,
    get_bulk_create_catalog_items_job,
    get_bulk_create_catalog_items_jobs,
    get_bulk_delete_catalog_items_job,
    get_bulk_delete_catalog_items_jobs,
    get_bulk_update_catalog_items_job,
    get_bulk_update_catalog_items_jobs,
)
from tasks.catalog_variants import (
    bulk_create_catalog_variants,
    bulk_delete_catalog_variants,
    bulk_update_catalog_variants,
    create_back_in_stock_subscription,
    get_bulk_create_variants_job,
    get_bulk_create_variants_jobs,
    get_bulk_delete_variants_job,
    get_bulk_delete_variants_jobs,
    get_bulk_update_variants_job,
    get_bulk_update_variants_jobs,
)
from tasks.coupons import bulk_create_coupon_codes, get_bulk_create_coupon_code_jobs, get_bulk_create_coupon_codes_job
from tasks.custom_objects import (
    bulk_create_data_source_records,
    bulk_delete_object_records,
    create_data_source_record,
)
from tasks.data_privacy import request_profile_deletion
from tasks.events import bulk_create_events
from tasks.profiles import (
    bulk_import_profiles,
    bulk_subscribe_profiles,
    bulk_suppress_profiles,
    bulk_unsubscribe_profiles,
    bulk_unsuppress_profiles,
    create_push_token,
    get_bulk_import_profiles_job,
    get_bulk_import_profiles_jobs,
    get_bulk_suppress_profiles_job,
    get_bulk_suppress_profiles_jobs,
    get_bulk_unsuppress_profiles_job,
    get_bulk_unsuppress_profiles_jobs,
    get_errors_for_bulk_import_profiles_job,
    get_profiles_for_bulk_import_profiles_job,
    merge_profiles,
)
from worker.action import Action
from worker.api.paging import largest
from worker.api.parameters import Params

#: Klaviyo's caps of jobs in progress on one account.
CATALOG_CAP, COUPON_CAP = 500, 100

HOUR_S, DAY_S = 3_600.0, 86_400.0

#: How a job whose request was not answered is recognised among Klaviyo's jobs: by its records, or by its id, which is
#: the campaign's. The number of records would not do: other jobs may have as many.
Trace = Literal["contents", "id"]


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job.

    Attributes:
        spawn: the action that begins it; its name is the kind's.
        records: the parameter of `spawn` that holds the records; None if there are none.
        status: reads one job; None if Klaviyo offers no such action.
        listing: lists the jobs, a hundred a page; None if there is no list.
        in_progress: filters that together list the jobs that are not over.
        newest_first: the listing's sort, if it has one.
        errors: lists the records that failed; None if the job itself has them.
        contents: lists the records that the job took; with the parameters that include them.
        result: reads the job's result once it is complete.
        trace: how a job is found if its request was not answered; None if Klaviyo shows nothing to recognise it by:
            then it is spawned again or, if that would do harm, its outcome is unknown.
        respawn: whether it may be spawned again if the search does not find it.
        cap: the most jobs in progress on one account; 0 if Klaviyo names no cap.
        min_poll_s, max_poll_s: seconds between two polls, for a job that has just begun and for one that takes long.
        deadline_s: seconds after which it counts as stuck.

    """

    spawn: Action[Any]
    records: str | None = None
    status: Action[Any] | None = None
    listing: Action[Any] | None = None
    in_progress: tuple[str, ...] = ('equals(status,"processing")', 'equals(status,"queued")')
    newest_first: str | None = None
    errors: Action[Any] | None = None
    contents: tuple[Action[Any], Mapping[str, Any]] | None = None
    result: Action[Any] | None = None
    trace: Trace | None = None
    respawn: bool = True
    cap: int = 0
    min_poll_s: float = 1.0
    max_poll_s: float = 60.0
    deadline_s: float = DAY_S
    path: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        if self.records:
            object.__setattr__(self, "path", self.spawn.declaration.parameters[self.records].path)

    @property
    def name(self) -> str:
        """Return the spawning action's name."""
        return self.spawn.declaration.name

    @property
    def own_id(self) -> bool:
        """Return True if each job has an id of its own; a campaign's jobs have the campaign's."""
        return self.status is not None and self.trace != "id" and self.result is None

    def page(self, filter: str | None = None) -> Params:
        """Return the parameters of the listing's first page."""
        assert self.listing is not None
        params: Params = {"filter": filter} if filter else {}
        if self.newest_first:
            params["sort"] = self.newest_first
        size = self.listing.declaration.parameters.get("page_size")
        if size and (limit := largest(size)):
            params["page_size"] = limit
        return params


def by_id(action: Action[Any], job_id: str) -> Params:
    """Return the parameters with which an action reads one job."""
    [name] = re.findall(r"{(\w+)}", action.declaration.path)
    return {name: job_id}


def _catalog(spawn: Action[Any], records: str, status: Action[Any], listing: Action[Any], tells: bool) -> JobKind:
    return JobKind(
        spawn, records, status, listing,
        contents=(status, {"include": [records]}) if tells else None,
        trace="contents" if tells else None,
        cap=CATALOG_CAP,
    )  # fmt: skip


_ALL = (
    JobKind(
        bulk_import_profiles, "profiles", get_bulk_import_profiles_job, get_bulk_import_profiles_jobs,
        in_progress=('any(status,["queued","processing"])',),
        newest_first="-created_at",
        errors=get_errors_for_bulk_import_profiles_job,
        contents=(get_profiles_for_bulk_import_profiles_job, {"page_size": 100}),
        trace="contents",
    ),
    _catalog(
        bulk_create_catalog_items, "items",
        get_bulk_create_catalog_items_job, get_bulk_create_catalog_items_jobs, True,
    ),
    _catalog(
        bulk_update_catalog_items, "items",
        get_bulk_update_catalog_items_job, get_bulk_update_catalog_items_jobs, True,
    ),
    _catalog(
        bulk_delete_catalog_items, "item_ids",
        get_bulk_delete_catalog_items_job, get_bulk_delete_catalog_items_jobs, False,
    ),
    _catalog(
        bulk_create_catalog_variants, "variants",
        get_bulk_create_variants_job, get_bulk_create_variants_jobs, True,
    ),
    _catalog(
        bulk_update_catalog_variants, "variants",
        get_bulk_update_variants_job, get_bulk_update_variants_jobs, True,
    ),
    _catalog(
        bulk_delete_catalog_variants, "variant_ids",
        get_bulk_delete_variants_job, get_bulk_delete_variants_jobs, False,
    ),
    _catalog(
        bulk_create_catalog_categories, "categories",
        get_bulk_create_categories_job, get_bulk_create_categories_jobs, True,
    ),
    _catalog(
        bulk_update_catalog_categories, "categories",
        get_bulk_update_categories_job, get_bulk_update_categories_jobs, True,
    ),
    _catalog(
        bulk_delete_catalog_categories, "category_ids",
        get_bulk_delete_categories_job, get_bulk_delete_categories_jobs, False,
    ),
    JobKind(
        bulk_create_coupon_codes, "coupon_codes", get_bulk_create_coupon_codes_job, get_bulk_create_coupon_code_jobs,
        contents=(get_bulk_create_coupon_codes_job, {"include": ["coupon-codes"]}),
        trace="contents",
        cap=COUPON_CAP,
    ),
    JobKind(
        bulk_suppress_profiles, "profiles", get_bulk_suppress_profiles_job, get_bulk_suppress_profiles_jobs,
        newest_first="-created",
    ),
    JobKind(
        bulk_unsuppress_profiles, "profiles", get_bulk_unsuppress_profiles_job, get_bulk_unsuppress_profiles_jobs,
        newest_first="-created",
    ),
    # A scheduled campaign's job ends once the campaign is scheduled. A send with an unknown outcome is never repeated.
    JobKind(send_campaign, status=get_campaign_send_job, trace="id", respawn=False, deadline_s=2 * DAY_S),
    JobKind(
        refresh_campaign_recipient_estimation, status=get_campaign_recipient_estimation_job,
        result=get_campaign_recipient_estimation, deadline_s=HOUR_S,
    ),
    # Accepted, and cannot be followed.
    JobKind(bulk_create_events, "events"),
    JobKind(bulk_subscribe_profiles, "profiles"),
    JobKind(bulk_unsubscribe_profiles, "profiles"),
    JobKind(merge_profiles),
    JobKind(request_profile_deletion),
    JobKind(create_back_in_stock_subscription),
    JobKind(create_push_token),
    JobKind(create_data_source_record),
    JobKind(bulk_create_data_source_records),
    JobKind(bulk_delete_object_records),
)  # fmt: skip

JOB_KINDS: dict[str, JobKind] = {kind.name: kind for kind in _ALL}
