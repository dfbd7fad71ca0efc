"""Webhooks: events that Klaviyo sends to a URL of yours."""

from typing import Annotated, Literal

from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never
from worker.api.wire import At, Linkages

WebhookTopicField = Literal["id"]
WebhookField = Literal["created_at", "description", "enabled", "endpoint_url", "id", "name", "updated_at"]
WebhookTopicIds = Annotated[list[str], At("data.relationships.webhook-topics.data"), Linkages("webhook-topic")]


@action("GET /api/webhooks", limits="1/s 15/m", scopes="webhooks:read")
def get_webhooks(
    *,
    include: list[Literal["webhook-topics"]] | None = None,
    fields_webhook_topic: list[WebhookTopicField] | None = None,
    fields_webhook: list[WebhookField] | None = None,
) -> Envelope:
    """List the webhooks of the account."""
    ...


@action("GET /api/webhooks/{id}", limits="1/s 15/m", scopes="webhooks:read")
def get_webhook(
    *,
    id: str,
    include: list[Literal["webhook-topics"]] | None = None,
    fields_webhook_topic: list[WebhookTopicField] | None = None,
    fields_webhook: list[WebhookField] | None = None,
) -> Envelope:
    """Get a webhook."""
    ...


@action("GET /api/webhook-topics", limits="1/s 15/m", scopes="webhooks:read")
def get_webhook_topics(*, fields_webhook_topic: list[WebhookTopicField] | None = None) -> Envelope:
    """List the topics that a webhook can be subscribed to."""
    ...


@action("GET /api/webhook-topics/{id}", limits="1/s 15/m", scopes="webhooks:read")
def get_webhook_topic(*, id: str, fields_webhook_topic: list[WebhookTopicField] | None = None) -> Envelope:
    """Get a topic."""
    ...


@action(
    "POST /api/webhooks",
    type="webhook",
    limits="1/s 15/m",
    scopes="webhooks:write",
    repeat=never("`get_webhooks`, by name and address: a second webhook would get every delivery, too"),
)
def create_webhook(
    *,
    name: str,
    endpoint_url: str,
    secret_key: str,
    webhook_topic_ids: WebhookTopicIds,
    description: str | None = None,
    fields_webhook: list[WebhookField] | None = None,
) -> Envelope:
    """Create a webhook.

    Deliveries are signed with the secret key. Klaviyo shows the address shortened afterwards.
    """
    ...


@action("PATCH /api/webhooks/{id}", type="webhook", limits="1/s 15/m", scopes="webhooks:write", repeat=SAFE)
def update_webhook(
    *,
    id: str,
    name: str | None = None,
    description: str | None = None,
    endpoint_url: str | None = None,
    secret_key: str | None = None,
    enabled: bool | None = None,
    webhook_topic_ids: WebhookTopicIds | None = None,
    fields_webhook: list[WebhookField] | None = None,
) -> Envelope:
    """Update a webhook, or switch it on or off.

    The topics are replaced as a whole.
    """
    ...


@action("DELETE /api/webhooks/{id}", limits="1/s 15/m", scopes="webhooks:write", repeat=SAFE)
def delete_webhook(*, id: str) -> Envelope:
    """Delete a webhook."""
    ...
