"""Catalog variants: the sizes and colours in which an item is sold, and who is waiting for one.

Klaviyo builds a variant's id from its external id: ``$custom:::$default:::EXTERNAL_ID``.
A bulk job takes up to 100 records and 5 MB; Klaviyo works on 500 jobs at a time.
"""

from typing import Annotated, Any, Literal, Required

from typing_extensions import TypedDict

from tasks.catalog import Batch, CatalogJobField, CatalogVariantField
from tasks.rules import identified
from tasks.shapes import Identified, Number, UpTo100, VariantId
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never, with_key
from worker.api.seed_names import Dropped
from worker.api.wire import At, Linkage, Linkages, Resource, Resources

#: With 1, product feeds leave out a variant that is out of stock; with 0 and 2 they do not.
InventoryPolicy = Literal[0, 1, 2]
#: Why `anonymous_id` is accepted and left out.
GONE = Dropped("Klaviyo removed anonymous_id from this operation in revision 2025-10-15")
ItemId = Annotated[str, At("data.relationships.item.data"), Linkage("catalog-item")]


class VariantUpdate(TypedDict, total=False):
    """Changes to a variant, in a bulk request."""

    id: Required[str]
    title: str | None
    description: str | None
    sku: str | None
    inventory_policy: InventoryPolicy | None
    inventory_quantity: Number | None
    price: Number | None
    url: str | None
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: list[str] | None
    custom_metadata: dict[str, Any] | None
    published: bool | None


class NewVariant(TypedDict, total=False):
    """A new variant, in a bulk request."""

    external_id: Required[str]
    item_id: Required[Annotated[str, At("relationships.item.data"), Linkage("catalog-item")]]
    catalog_type: str | None
    integration_type: Literal["$custom"] | None
    title: Required[str]
    description: Required[str]
    sku: Required[str]
    inventory_policy: InventoryPolicy | None
    inventory_quantity: Required[Number]
    price: Required[Number]
    url: Required[str]
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: list[str] | None
    custom_metadata: dict[str, Any] | None
    published: bool | None


@action("GET /api/catalog-variants", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_variants(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the variants of the catalog."""
    ...


@action("GET /api/catalog-variants/{id}", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_variant(*, id: str, fields_catalog_variant: list[CatalogVariantField] | None = None) -> Envelope:
    """Get a variant."""
    ...


@action(
    "GET /api/catalog-variant-bulk-create-jobs",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_create_variants_jobs",
)
def get_bulk_create_variants_jobs(
    *,
    filter: str | None = None,
    fields_catalog_variant_bulk_create_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that create variants.

    `equals(status,'processing')` finds those in progress.
    """
    ...


@action(
    "GET /api/catalog-variant-bulk-create-jobs/{job_id}",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_create_variants_job",
)
def get_bulk_create_variants_job(
    *,
    job_id: str,
    include: list[Literal["variants"]] | None = None,
    fields_catalog_variant_bulk_create_job: list[CatalogJobField] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
) -> Envelope:
    """Get a job that creates variants, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-variant-bulk-update-jobs",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_update_variants_jobs",
)
def get_bulk_update_variants_jobs(
    *,
    filter: str | None = None,
    fields_catalog_variant_bulk_update_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that update variants."""
    ...


@action(
    "GET /api/catalog-variant-bulk-update-jobs/{job_id}",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_update_variants_job",
)
def get_bulk_update_variants_job(
    *,
    job_id: str,
    include: list[Literal["variants"]] | None = None,
    fields_catalog_variant_bulk_update_job: list[CatalogJobField] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
) -> Envelope:
    """Get a job that updates variants, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-variant-bulk-delete-jobs",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_variants_jobs",
)
def get_bulk_delete_variants_jobs(
    *,
    filter: str | None = None,
    fields_catalog_variant_bulk_delete_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that delete variants."""
    ...


@action(
    "GET /api/catalog-variant-bulk-delete-jobs/{job_id}",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_variants_job",
)
def get_bulk_delete_variants_job(
    *, job_id: str, fields_catalog_variant_bulk_delete_job: list[CatalogJobField] | None = None
) -> Envelope:
    """Get a job that deletes variants, with its counters and errors."""
    ...


@action(
    "POST /api/catalog-variants",
    type="catalog-variant",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id"),
)
def create_catalog_variant(
    *,
    external_id: str,
    title: str,
    description: str,
    sku: str,
    inventory_quantity: Number,
    price: Number,
    url: str,
    item_id: ItemId,
    catalog_type: str | None = None,
    integration_type: Literal["$custom"] | None = None,
    inventory_policy: InventoryPolicy | None = None,
    image_full_url: str | None = None,
    image_thumbnail_url: str | None = None,
    images: list[str] | None = None,
    custom_metadata: dict[str, Any] | None = None,
    published: bool | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
) -> Envelope:
    """Create a variant of an item.

    An external id that exists already is answered with 409.

    `.on(together=True)`: it may travel in `bulk_create_catalog_variants`. The envelope then has `job_id` and no `data`.
    """
    ...


@action(
    "PATCH /api/catalog-variants/{id}",
    type="catalog-variant",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
)
def update_catalog_variant(
    *,
    id: str,
    title: str | None = None,
    description: str | None = None,
    sku: str | None = None,
    inventory_policy: InventoryPolicy | None = None,
    inventory_quantity: Number | None = None,
    price: Number | None = None,
    url: str | None = None,
    image_full_url: str | None = None,
    image_thumbnail_url: str | None = None,
    images: list[str] | None = None,
    custom_metadata: dict[str, Any] | None = None,
    published: bool | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
) -> Envelope:
    """Update a variant.

    `.on(together=True)`: it may travel in `bulk_update_catalog_variants`. The envelope then has `job_id` and no `data`.
    """
    ...


@action("DELETE /api/catalog-variants/{id}", limits="75/s 750/m", scopes="catalogs:write", repeat=SAFE)
def delete_catalog_variant(*, id: str) -> Envelope:
    """Delete a variant.

    `.on(together=True)`: it may travel in `bulk_delete_catalog_variants`. The envelope then has `job_id` and no `data`.
    """
    ...


@action(
    "POST /api/catalog-variant-bulk-create-jobs",
    type="catalog-variant-bulk-create-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id of each variant"),
    names_2024="spawn_create_variants_job",
)
def bulk_create_catalog_variants(
    *,
    variants: Annotated[list[NewVariant], Batch, At("data.attributes.variants.data"), Resources("catalog-variant")],
    fields_catalog_variant_bulk_create_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that creates up to 100 variants.

    A variant that exists already fails alone, as an error of the job.
    """
    ...


@action(
    "POST /api/catalog-variant-bulk-update-jobs",
    type="catalog-variant-bulk-update-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_update_variants_job",
)
def bulk_update_catalog_variants(
    *,
    variants: Annotated[list[VariantUpdate], Batch, At("data.attributes.variants.data"), Resources("catalog-variant")],
    fields_catalog_variant_bulk_update_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that updates up to 100 variants.

    What is left out of a variant stays as it is.
    """
    ...


@action(
    "POST /api/catalog-variant-bulk-delete-jobs",
    type="catalog-variant-bulk-delete-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_delete_variants_job",
)
def bulk_delete_catalog_variants(
    *,
    variant_ids: Annotated[list[str], Batch, At("data.attributes.variants.data"), Linkages("catalog-variant")],
    fields_catalog_variant_bulk_delete_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that deletes up to 100 variants.

    A variant that is gone already fails alone.
    """
    ...


@action(
    "POST /api/back-in-stock-subscriptions",
    type="back-in-stock-subscription",
    limits="350/s 3500/m",
    scopes="catalogs:write profiles:write",
    repeat=never("the profile's events since the call, metric `Subscribed to Back in Stock`"),
    seed={"profile.anonymous_id": GONE, "data__attributes__profile__data__attributes__anonymous__id": GONE},
    checks=(identified("profile", "id", "email", "phone_number", "external_id"),),
)
def create_back_in_stock_subscription(
    *,
    profile: Annotated[Identified, At("data.attributes.profile.data"), Resource("profile")],
    channels: list[Literal["EMAIL", "PUSH", "SMS", "WHATSAPP"]],
    variant_id: VariantId,
) -> Envelope:
    """Notify somebody when a variant is back in stock.

    Klaviyo answers with 202 and says no more. What it sends then follows the consent that the person has given.
    """
    ...
