"""Catalog items: the things that are sold, and which categories they are in.

Klaviyo builds an item's id from its external id: ``$custom:::$default:::EXTERNAL_ID``.
A bulk job takes up to 100 records and 5 MB; Klaviyo works on 500 jobs at a time.
"""

from typing import Annotated, Any, Literal, Required

from typing_extensions import TypedDict

from tasks.catalog import Batch, CatalogCategoryField, CatalogItemField, CatalogJobField, CatalogVariantField
from tasks.shapes import Number, UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, with_key
from worker.api.wire import At, Linkages, Resources


class ItemUpdate(TypedDict, total=False):
    """Changes to an item, in a bulk request."""

    id: Required[str]
    title: str | None
    price: Number | None
    description: str | None
    url: str | None
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: list[str] | None
    custom_metadata: dict[str, Any] | None
    published: bool | None
    category_ids: Annotated[list[str], At("relationships.categories.data"), Linkages("catalog-category")]


class NewItem(TypedDict, total=False):
    """A new item, in a bulk request."""

    external_id: Required[str]
    integration_type: Literal["$custom"] | None
    catalog_type: str | None
    title: Required[str]
    description: Required[str]
    url: Required[str]
    price: Number | None
    image_full_url: str | None
    image_thumbnail_url: str | None
    images: list[str] | None
    custom_metadata: dict[str, Any] | None
    published: bool | None
    category_ids: Annotated[list[str], At("relationships.categories.data"), Linkages("catalog-category")]


@action("GET /api/catalog-items", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_items(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    include: list[Literal["variants"]] | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the items of the catalog."""
    ...


@action("GET /api/catalog-items/{id}", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_item(
    *,
    id: str,
    include: list[Literal["variants"]] | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
) -> Envelope:
    """Get an item."""
    ...


@action(
    "GET /api/catalog-items/{id}/variants",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_catalog_item_variants",
)
def get_variants_for_catalog_item(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the variants of an item."""
    ...


@action("GET /api/catalog-items/{id}/relationships/variants", limits="350/s 3500/m", scopes="catalogs:read")
def get_variant_ids_for_catalog_item(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the variants of an item."""
    ...


@action(
    "GET /api/catalog-items/{id}/categories",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_catalog_item_categories",
)
def get_categories_for_catalog_item(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the categories that an item is in."""
    ...


@action(
    "GET /api/catalog-items/{id}/relationships/categories",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_catalog_item_relationships_categories",
)
def get_category_ids_for_catalog_item(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the categories that an item is in."""
    ...


@action(
    "GET /api/catalog-item-bulk-create-jobs",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_create_items_jobs",
)
def get_bulk_create_catalog_items_jobs(
    *,
    filter: str | None = None,
    fields_catalog_item_bulk_create_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that create items.

    `equals(status,'processing')` finds those in progress.
    """
    ...


@action(
    "GET /api/catalog-item-bulk-create-jobs/{job_id}",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_create_items_job",
)
def get_bulk_create_catalog_items_job(
    *,
    job_id: str,
    include: list[Literal["items"]] | None = None,
    fields_catalog_item_bulk_create_job: list[CatalogJobField] | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
) -> Envelope:
    """Get a job that creates items, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-item-bulk-update-jobs",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_update_items_jobs",
)
def get_bulk_update_catalog_items_jobs(
    *,
    filter: str | None = None,
    fields_catalog_item_bulk_update_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that update items."""
    ...


@action(
    "GET /api/catalog-item-bulk-update-jobs/{job_id}",
    limits="75/s 750/m",
    scopes="catalogs:read",
    names_2024="get_update_items_job",
)
def get_bulk_update_catalog_items_job(
    *,
    job_id: str,
    include: list[Literal["items"]] | None = None,
    fields_catalog_item_bulk_update_job: list[CatalogJobField] | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
) -> Envelope:
    """Get a job that updates items, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-item-bulk-delete-jobs",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_items_jobs",
)
def get_bulk_delete_catalog_items_jobs(
    *,
    filter: str | None = None,
    fields_catalog_item_bulk_delete_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that delete items."""
    ...


@action(
    "GET /api/catalog-item-bulk-delete-jobs/{job_id}",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_items_job",
)
def get_bulk_delete_catalog_items_job(
    *, job_id: str, fields_catalog_item_bulk_delete_job: list[CatalogJobField] | None = None
) -> Envelope:
    """Get a job that deletes items, with its counters and errors."""
    ...


@action(
    "POST /api/catalog-items",
    type="catalog-item",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id"),
)
def create_catalog_item(
    *,
    external_id: str,
    title: str,
    description: str,
    url: str,
    integration_type: Literal["$custom"] | None = None,
    price: Number | None = None,
    catalog_type: str | None = None,
    image_full_url: str | None = None,
    image_thumbnail_url: str | None = None,
    images: list[str] | None = None,
    custom_metadata: dict[str, Any] | None = None,
    published: bool | None = None,
    catalog_category_ids: Annotated[list[str], At("data.relationships.categories.data"), Linkages("catalog-category")]
    | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
) -> Envelope:
    """Create an item.

    An external id that exists already is answered with 409.

    `.on(together=True)`: it may travel in `bulk_create_catalog_items`. The envelope then has `job_id` and no `data`.
    """
    ...


@action("PATCH /api/catalog-items/{id}", type="catalog-item", limits="75/s 750/m", scopes="catalogs:write", repeat=SAFE)
def update_catalog_item(
    *,
    id: str,
    title: str | None = None,
    price: Number | None = None,
    description: str | None = None,
    url: str | None = None,
    image_full_url: str | None = None,
    image_thumbnail_url: str | None = None,
    images: list[str] | None = None,
    custom_metadata: dict[str, Any] | None = None,
    published: bool | None = None,
    catalog_category_ids: Annotated[list[str], At("data.relationships.categories.data"), Linkages("catalog-category")]
    | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
) -> Envelope:
    """Update an item.

    The categories are replaced as a whole.

    `.on(together=True)`: it may travel in `bulk_update_catalog_items`. The envelope then has `job_id` and no `data`.
    """
    ...


@action("DELETE /api/catalog-items/{id}", limits="75/s 750/m", scopes="catalogs:write", repeat=SAFE)
def delete_catalog_item(*, id: str) -> Envelope:
    """Delete an item.

    `.on(together=True)`: it may travel in `bulk_delete_catalog_items`. The envelope then has `job_id` and no `data`.
    """
    ...


@action(
    "POST /api/catalog-items/{id}/relationships/categories",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="create_catalog_item_relationships_categories",
)
def add_categories_to_catalog_item(
    *, id: str, category_ids: Annotated[list[str], At("data"), Linkages("catalog-category")]
) -> Envelope:
    """Add an item to categories."""
    ...


@action(
    "PATCH /api/catalog-items/{id}/relationships/categories",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="update_catalog_item_relationships_categories",
)
def update_categories_for_catalog_item(
    *, id: str, category_ids: Annotated[list[str], At("data"), Linkages("catalog-category")]
) -> Envelope:
    """Make these the only categories of an item."""
    ...


@action(
    "DELETE /api/catalog-items/{id}/relationships/categories",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="delete_catalog_item_relationships_categories",
)
def remove_categories_from_catalog_item(
    *, id: str, category_ids: Annotated[list[str], At("data"), Linkages("catalog-category")]
) -> Envelope:
    """Remove an item from categories."""
    ...


@action(
    "POST /api/catalog-item-bulk-create-jobs",
    type="catalog-item-bulk-create-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id of each item"),
    names_2024="spawn_create_items_job",
)
def bulk_create_catalog_items(
    *,
    items: Annotated[list[NewItem], Batch, At("data.attributes.items.data"), Resources("catalog-item")],
    fields_catalog_item_bulk_create_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that creates up to 100 items.

    An item that exists already fails alone, as an error of the job.
    """
    ...


@action(
    "POST /api/catalog-item-bulk-update-jobs",
    type="catalog-item-bulk-update-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_update_items_job",
)
def bulk_update_catalog_items(
    *,
    items: Annotated[list[ItemUpdate], Batch, At("data.attributes.items.data"), Resources("catalog-item")],
    fields_catalog_item_bulk_update_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that updates up to 100 items.

    What is left out of an item stays as it is.
    """
    ...


@action(
    "POST /api/catalog-item-bulk-delete-jobs",
    type="catalog-item-bulk-delete-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_delete_items_job",
)
def bulk_delete_catalog_items(
    *,
    item_ids: Annotated[list[str], Batch, At("data.attributes.items.data"), Linkages("catalog-item")],
    fields_catalog_item_bulk_delete_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that deletes up to 100 items.

    An item that is gone already fails alone.
    """
    ...
