"""Webhooks and their topics. Nothing is ever delivered."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records.store import Resource
from sandbox.times import to_iso

MIN_SECRET_LENGTH = 16
_PLACE = "/data/attributes"


def create_webhook(call: Call) -> Reply:
    """Create a webhook with at least one topic. Its secret is never shown."""
    sent = call.attributes
    _check(sent)
    topics = _topics(call)
    if not topics:
        raise invalid("At least one topic is required.", "/data/relationships/webhook-topics/data")
    at = to_iso(call.now)
    attributes = {
        "name": sent["name"],
        "description": sent.get("description"),
        "endpoint_url": sent["endpoint_url"],
        "enabled": True,
        "created_at": at,
        "updated_at": at,
    }
    webhook = call.store.add("webhook", attributes)
    _subscribe(call, webhook, topics)
    return documents.single(call, webhook)


def update_webhook(call: Call) -> Reply:
    """Update a webhook; if topics are named, they replace those that it has."""
    webhook = call.store.get("webhook", call.path_id)
    sent = {name: value for name, value in call.attributes.items() if value is not None or name == "description"}
    _check(sent)
    topics = _topics(call)
    webhook.attributes |= {name: value for name, value in sent.items() if name != "secret_key"}
    if topics:
        for id in webhook.linked("webhook-topics"):
            call.store.unlink(webhook, "webhook-topics", id)
        _subscribe(call, webhook, topics)
    call.store.touch(webhook, call.now)
    return documents.single(call, webhook)


def _topics(call: Call) -> list[Resource]:
    return [call.store.get("webhook-topic", id) for id in call.linkage("webhook-topics")]


def _subscribe(call: Call, webhook: Resource, topics: list[Resource]) -> None:
    for topic in topics:
        call.store.link(webhook, "webhook-topics", topic, call.now)


def _check(sent: dict[str, Any]) -> None:
    if "endpoint_url" in sent and not sent["endpoint_url"].startswith("https://"):
        raise invalid("An https address is required.", f"{_PLACE}/endpoint_url")
    if "secret_key" in sent and len(sent["secret_key"]) < MIN_SECRET_LENGTH:
        raise invalid(f"At least {MIN_SECRET_LENGTH} characters are required.", f"{_PLACE}/secret_key")
