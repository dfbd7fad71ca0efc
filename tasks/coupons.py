"""Coupons and their codes."""

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.shapes import Timestamp, UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import SAFE, with_key
from worker.api.wire import At, Linkage, Resources

CouponField = Literal["description", "external_id", "id", "monitor_configuration"]
CouponCodeField = Literal["expires_at", "id", "status", "unique_code"]
CouponCodeJobField = Literal[
    "completed_at", "completed_count", "created_at", "errors", "expires_at", "failed_count", "id", "status",
    "total_count",
]  # fmt: skip
CodeStatus = Literal["ASSIGNED_TO_PROFILE", "DELETING", "PROCESSING", "UNASSIGNED", "USED", "VERSION_NOT_ACTIVE"]
CouponId = Annotated[str, At("data.relationships.coupon.data"), Linkage("coupon")]


class CouponCode(TypedDict, total=False):
    """A code in a bulk request."""

    unique_code: Required[str]
    expires_at: Timestamp | None
    coupon_id: Required[Annotated[str, At("relationships.coupon.data"), Linkage("coupon")]]


def of_a_coupon_or_profile(params: Params) -> str | None:
    """Klaviyo lists the codes of one coupon, or those that one profile has."""
    if "coupon.id" in params["filter"] or "profile.id" in params["filter"]:
        return None
    return "parameter 'filter' must name a coupon or a profile: equals(coupon.id,'10OFF')"


@action("GET /api/coupons", limits="75/s 750/m", scopes="coupons:read")
def get_coupons(
    *, fields_coupon: list[CouponField] | None = None, page_cursor: str | None = None, page_size: UpTo100 | None = None
) -> Envelope:
    """List the coupons of the account."""
    ...


@action("GET /api/coupons/{id}", limits="75/s 750/m", scopes="coupons:read")
def get_coupon(*, id: str, fields_coupon: list[CouponField] | None = None) -> Envelope:
    """Get a coupon."""
    ...


@action("GET /api/coupons/{id}/coupon-codes", limits="75/s 750/m", scopes="coupon-codes:read")
def get_coupon_codes_for_coupon(
    *,
    id: str,
    filter: str | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the codes of a coupon."""
    ...


@action(
    "GET /api/coupons/{id}/relationships/coupon-codes",
    limits="75/s 750/m",
    scopes="coupon-codes:read",
    names_2024="get_coupon_code_relationships_coupon",
)
def get_coupon_code_ids_for_coupon(
    *, id: str, filter: str | None = None, page_cursor: str | None = None, page_size: UpTo100 | None = None
) -> Envelope:
    """List the ids of the codes of a coupon."""
    ...


@action("GET /api/coupon-codes", limits="350/s 3500/m", scopes="coupon-codes:read", checks=(of_a_coupon_or_profile,))
def get_coupon_codes(
    *,
    filter: str,
    include: list[Literal["coupon"]] | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
    fields_coupon: list[CouponField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the codes of a coupon or of a profile.

    The filter has to name one of them, as in `equals(coupon.id,'10OFF')` or `equals(profile.id,'01…')`.
    """
    ...


@action("GET /api/coupon-codes/{id}", limits="350/s 3500/m", scopes="coupon-codes:read")
def get_coupon_code(
    *,
    id: str,
    include: list[Literal["coupon"]] | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
    fields_coupon: list[CouponField] | None = None,
) -> Envelope:
    """Get a code."""
    ...


@action("GET /api/coupon-codes/{id}/coupon", limits="75/s 750/m", scopes="coupons:read")
def get_coupon_for_coupon_code(*, id: str, fields_coupon: list[CouponField] | None = None) -> Envelope:
    """Get the coupon that a code belongs to."""
    ...


@action(
    "GET /api/coupon-codes/{id}/relationships/coupon",
    limits="75/s 750/m",
    scopes="coupons:read",
    names_2024="get_coupon_relationships_coupon_codes",
)
def get_coupon_id_for_coupon_code(*, id: str) -> Envelope:
    """Get the id of the coupon that a code belongs to."""
    ...


@action(
    "GET /api/coupon-code-bulk-create-jobs",
    limits="75/s 750/m",
    scopes="coupon-codes:read",
    names_2024="get_coupon_code_bulk_create_jobs",
)
def get_bulk_create_coupon_code_jobs(
    *,
    filter: str | None = None,
    fields_coupon_code_bulk_create_job: list[CouponCodeJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that create codes.

    `equals(status,'processing')` finds those in progress.
    """
    ...


@action(
    "GET /api/coupon-code-bulk-create-jobs/{job_id}",
    limits="75/s 750/m",
    scopes="coupon-codes:read",
    names_2024="get_coupon_code_bulk_create_job",
)
def get_bulk_create_coupon_codes_job(
    *,
    job_id: str,
    include: list[Literal["coupon-codes"]] | None = None,
    fields_coupon_code_bulk_create_job: list[CouponCodeJobField] | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
) -> Envelope:
    """Get a job that creates codes, with its counters and errors."""
    ...


@action("POST /api/coupons", type="coupon", limits="3/s 60/m", scopes="coupons:write", repeat=with_key("external_id"))
def create_coupon(
    *,
    external_id: str,
    description: str | None = None,
    monitor_configuration: dict[str, Any] | None = None,
    fields_coupon: list[CouponField] | None = None,
) -> Envelope:
    """Create a coupon.

    The external id becomes the coupon's id; one that exists already is answered with 409.
    """
    ...


@action("PATCH /api/coupons/{id}", type="coupon", limits="3/s 60/m", scopes="coupons:write", repeat=SAFE)
def update_coupon(
    *,
    id: str,
    description: str | None = None,
    monitor_configuration: dict[str, Any] | None = None,
    fields_coupon: list[CouponField] | None = None,
) -> Envelope:
    """Update a coupon."""
    ...


@action("DELETE /api/coupons/{id}", limits="3/s 60/m", scopes="coupons:write", repeat=SAFE)
def delete_coupon(*, id: str) -> Envelope:
    """Delete a coupon."""
    ...


@action(
    "POST /api/coupon-codes",
    type="coupon-code",
    limits="350/s 3500/m",
    scopes="coupon-codes:write",
    repeat=with_key("coupon_id and unique_code"),
)
def create_coupon_code(
    *,
    unique_code: str,
    coupon_id: CouponId,
    expires_at: Timestamp | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
) -> Envelope:
    """Create one code of a coupon.

    A code that the coupon has already is answered with 409.

    `.on(together=True)`: it may travel in `bulk_create_coupon_codes`. The envelope then has `job_id` and no `data`.
    """
    ...


@action(
    "POST /api/coupon-code-bulk-create-jobs",
    type="coupon-code-bulk-create-job",
    limits="75/s 750/m",
    scopes="coupon-codes:write",
    repeat=with_key("coupon_id and unique_code of each code"),
    names_2024="spawn_coupon_code_bulk_create_job",
)
def bulk_create_coupon_codes(
    *,
    coupon_codes: Annotated[
        list[CouponCode],
        Field(min_length=1, max_length=1_000),
        At("data.attributes.coupon-codes.data"),
        Resources("coupon-code"),
    ],
    fields_coupon_code_bulk_create_job: list[CouponCodeJobField] | None = None,
) -> Envelope:
    """Start a job that creates up to 1,000 codes.

    Klaviyo lets 100 such jobs wait at a time. A code that exists already fails alone, as an error of the job.
    """
    ...


@action(
    "PATCH /api/coupon-codes/{id}", type="coupon-code", limits="350/s 3500/m", scopes="coupon-codes:write", repeat=SAFE
)
def update_coupon_code(
    *,
    id: str,
    status: CodeStatus | None = None,
    expires_at: Timestamp | None = None,
    fields_coupon_code: list[CouponCodeField] | None = None,
) -> Envelope:
    """Update the status or the expiry of a code."""
    ...


@action("DELETE /api/coupon-codes/{id}", limits="350/s 3500/m", scopes="coupon-codes:write", repeat=SAFE)
def delete_coupon_code(*, id: str) -> Envelope:
    """Delete a code.

    Klaviyo refuses where a profile has it.
    """
    ...
