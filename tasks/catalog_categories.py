"""Catalog categories: what items are sorted into.

Klaviyo builds a category's id from its external id: ``$custom:::$default:::EXTERNAL_ID``.
A bulk job takes up to 100 records and 5 MB; Klaviyo works on 500 jobs at a time.
"""

from typing import Annotated, Literal, Required

from typing_extensions import TypedDict

from tasks.catalog import Batch, CatalogCategoryField, CatalogItemField, CatalogJobField, CatalogVariantField
from tasks.shapes import UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, with_key
from worker.api.wire import At, Linkages, Resources

ItemIds = Annotated[list[str], At("data.relationships.items.data"), Linkages("catalog-item")]


class CategoryUpdate(TypedDict, total=False):
    """Changes to a category, in a bulk request."""

    id: Required[str]
    name: str | None
    item_ids: Annotated[list[str], At("relationships.items.data"), Linkages("catalog-item")]


class NewCategory(TypedDict, total=False):
    """A new category, in a bulk request."""

    external_id: Required[str]
    name: Required[str]
    integration_type: Literal["$custom"] | None
    catalog_type: str | None
    item_ids: Annotated[list[str], At("relationships.items.data"), Linkages("catalog-item")]


@action("GET /api/catalog-categories", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_categories(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the categories of the catalog."""
    ...


@action("GET /api/catalog-categories/{id}", limits="350/s 3500/m", scopes="catalogs:read")
def get_catalog_category(*, id: str, fields_catalog_category: list[CatalogCategoryField] | None = None) -> Envelope:
    """Get a category."""
    ...


@action(
    "GET /api/catalog-categories/{id}/items",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_catalog_category_items",
)
def get_items_for_catalog_category(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    include: list[Literal["variants"]] | None = None,
    fields_catalog_item: list[CatalogItemField] | None = None,
    fields_catalog_variant: list[CatalogVariantField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the items in a category."""
    ...


@action(
    "GET /api/catalog-categories/{id}/relationships/items",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_catalog_category_relationships_items",
)
def get_item_ids_for_catalog_category(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["created", "-created"] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the items in a category."""
    ...


@action(
    "GET /api/catalog-category-bulk-create-jobs",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_create_categories_jobs",
)
def get_bulk_create_categories_jobs(
    *,
    filter: str | None = None,
    fields_catalog_category_bulk_create_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that create categories.

    `equals(status,'processing')` finds those in progress.
    """
    ...


@action(
    "GET /api/catalog-category-bulk-create-jobs/{job_id}",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_create_categories_job",
)
def get_bulk_create_categories_job(
    *,
    job_id: str,
    include: list[Literal["categories"]] | None = None,
    fields_catalog_category_bulk_create_job: list[CatalogJobField] | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
) -> Envelope:
    """Get a job that creates categories, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-category-bulk-update-jobs",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_update_categories_jobs",
)
def get_bulk_update_categories_jobs(
    *,
    filter: str | None = None,
    fields_catalog_category_bulk_update_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that update categories."""
    ...


@action(
    "GET /api/catalog-category-bulk-update-jobs/{job_id}",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_update_categories_job",
)
def get_bulk_update_categories_job(
    *,
    job_id: str,
    include: list[Literal["categories"]] | None = None,
    fields_catalog_category_bulk_update_job: list[CatalogJobField] | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
) -> Envelope:
    """Get a job that updates categories, with its counters and errors."""
    ...


@action(
    "GET /api/catalog-category-bulk-delete-jobs",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_categories_jobs",
)
def get_bulk_delete_categories_jobs(
    *,
    filter: str | None = None,
    fields_catalog_category_bulk_delete_job: list[CatalogJobField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the jobs that delete categories."""
    ...


@action(
    "GET /api/catalog-category-bulk-delete-jobs/{job_id}",
    limits="350/s 3500/m",
    scopes="catalogs:read",
    names_2024="get_delete_categories_job",
)
def get_bulk_delete_categories_job(
    *, job_id: str, fields_catalog_category_bulk_delete_job: list[CatalogJobField] | None = None
) -> Envelope:
    """Get a job that deletes categories, with its counters and errors."""
    ...


@action(
    "POST /api/catalog-categories",
    type="catalog-category",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id"),
)
def create_catalog_category(
    *,
    external_id: str,
    name: str,
    integration_type: Literal["$custom"] | None = None,
    catalog_type: str | None = None,
    item_ids: ItemIds | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
) -> Envelope:
    """Create a category.

    An external id that exists already is answered with 409.

    `.on(together=True)`: it may travel in `bulk_create_catalog_categories`. The envelope then has `job_id` and no
    `data`.
    """
    ...


@action(
    "PATCH /api/catalog-categories/{id}",
    type="catalog-category",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
)
def update_catalog_category(
    *,
    id: str,
    name: str | None = None,
    item_ids: ItemIds | None = None,
    fields_catalog_category: list[CatalogCategoryField] | None = None,
) -> Envelope:
    """Update a category.

    The items are replaced as a whole.

    `.on(together=True)`: it may travel in `bulk_update_catalog_categories`. The envelope then has `job_id` and no
    `data`.
    """
    ...


@action("DELETE /api/catalog-categories/{id}", limits="75/s 750/m", scopes="catalogs:write", repeat=SAFE)
def delete_catalog_category(*, id: str) -> Envelope:
    """Delete a category.

    `.on(together=True)`: it may travel in `bulk_delete_catalog_categories`. The envelope then has `job_id` and no
    `data`.
    """
    ...


@action(
    "POST /api/catalog-categories/{id}/relationships/items",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="create_catalog_category_relationships_items",
)
def add_items_to_catalog_category(
    *, id: str, item_ids: Annotated[list[str], At("data"), Linkages("catalog-item")]
) -> Envelope:
    """Add items to a category."""
    ...


@action(
    "PATCH /api/catalog-categories/{id}/relationships/items",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="update_catalog_category_relationships_items",
)
def update_items_for_catalog_category(
    *, id: str, item_ids: Annotated[list[str], At("data"), Linkages("catalog-item")]
) -> Envelope:
    """Make these the only items in a category."""
    ...


@action(
    "DELETE /api/catalog-categories/{id}/relationships/items",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="delete_catalog_category_relationships_items",
)
def remove_items_from_catalog_category(
    *, id: str, item_ids: Annotated[list[str], At("data"), Linkages("catalog-item")]
) -> Envelope:
    """Remove items from a category."""
    ...


@action(
    "POST /api/catalog-category-bulk-create-jobs",
    type="catalog-category-bulk-create-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=with_key("external_id of each category"),
    names_2024="spawn_create_categories_job",
)
def bulk_create_catalog_categories(
    *,
    categories: Annotated[
        list[NewCategory], Batch, At("data.attributes.categories.data"), Resources("catalog-category")
    ],
    fields_catalog_category_bulk_create_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that creates up to 100 categories.

    A category that exists already fails alone, as an error of the job.
    """
    ...


@action(
    "POST /api/catalog-category-bulk-update-jobs",
    type="catalog-category-bulk-update-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_update_categories_job",
)
def bulk_update_catalog_categories(
    *,
    categories: Annotated[
        list[CategoryUpdate], Batch, At("data.attributes.categories.data"), Resources("catalog-category")
    ],
    fields_catalog_category_bulk_update_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that updates up to 100 categories.

    What is left out of a category stays as it is.
    """
    ...


@action(
    "POST /api/catalog-category-bulk-delete-jobs",
    type="catalog-category-bulk-delete-job",
    limits="75/s 750/m",
    scopes="catalogs:write",
    repeat=SAFE,
    names_2024="spawn_delete_categories_job",
)
def bulk_delete_catalog_categories(
    *,
    category_ids: Annotated[list[str], Batch, At("data.attributes.categories.data"), Linkages("catalog-category")],
    fields_catalog_category_bulk_delete_job: list[CatalogJobField] | None = None,
) -> Envelope:
    """Start a job that deletes up to 100 categories.

    A category that is gone already fails alone.
    """
    ...
