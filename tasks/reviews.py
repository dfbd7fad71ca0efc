"""Reviews: what customers say about products."""

from typing import Literal, Required

from typing_extensions import TypedDict

from tasks.events import EventField
from tasks.shapes import UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE

ReviewField = Literal[
    "author", "content", "created", "email", "id", "images", "product", "product.external_id", "product.image_url",
    "product.name", "product.url", "public_reply", "public_reply.author", "public_reply.content",
    "public_reply.updated", "rating", "review_type", "smart_quote", "status", "status.rejection_reason",
    "status.rejection_reason.reason", "status.rejection_reason.status_explanation", "status.value", "title", "updated",
    "verified",
]  # fmt: skip
ReviewSort = Literal["created", "-created", "rating", "-rating", "updated", "-updated"]


class Rejection(TypedDict, total=False):
    """Why a review is not shown; the explanation goes with `other`."""

    reason: Required[
        Literal[
            "fake", "false_or_misleading", "other", "private_information", "profanity_or_inappropriate", "unrelated"
        ]
    ]
    status_explanation: str | None


class ReviewStatus(TypedDict, total=False):
    """Whether a review is shown; `rejected` requires a reason."""

    value: Required[Literal["featured", "pending", "published", "rejected", "unpublished"]]
    rejection_reason: Rejection


@action("GET /api/reviews", limits="10/s 150/m", scopes="reviews:read")
def get_reviews(
    *,
    filter: str | None = None,
    sort: ReviewSort | None = None,
    include: list[Literal["events"]] | None = None,
    fields_event: list[EventField] | None = None,
    fields_review: list[ReviewField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the reviews of the account."""
    ...


@action("GET /api/reviews/{id}", limits="10/s 150/m", scopes="reviews:read")
def get_review(
    *,
    id: str,
    include: list[Literal["events"]] | None = None,
    fields_event: list[EventField] | None = None,
    fields_review: list[ReviewField] | None = None,
) -> Envelope:
    """Get a review."""
    ...


@action("PATCH /api/reviews/{id}", type="review", limits="10/s 150/m", scopes="reviews:write", repeat=SAFE)
def update_review(
    *, id: str, status: ReviewStatus | None = None, fields_review: list[ReviewField] | None = None
) -> Envelope:
    """Publish, feature, reject or unpublish a review."""
    ...
