"""What items, variants and categories of the catalog share."""

from typing import Literal

from pydantic import Field

#: How many items a bulk job takes.
Batch = Field(min_length=1, max_length=100)

CatalogItemField = Literal[
    "created", "custom_metadata", "description", "external_id", "id", "image_full_url", "image_thumbnail_url", "images",
    "price", "published", "title", "updated", "url",
]  # fmt: skip
CatalogVariantField = Literal[
    "created", "custom_metadata", "description", "external_id", "id", "image_full_url", "image_thumbnail_url", "images",
    "inventory_policy", "inventory_quantity", "price", "published", "sku", "title", "updated", "url",
]  # fmt: skip
CatalogCategoryField = Literal["external_id", "id", "name", "updated"]
CatalogJobField = Literal[
    "completed_at", "completed_count", "created_at", "errors", "expires_at", "failed_count", "id", "status",
    "total_count",
]  # fmt: skip
