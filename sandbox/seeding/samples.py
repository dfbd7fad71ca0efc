"""The template, campaigns, flows, form, webhook topics and review that a new account has."""

from typing import Any

from sandbox.records import campaigns, flows, forms, templates
from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

DRAFTS = ("Spring Collection", "Members' Evening", "Restock Notice")
SENT = "Winter Sale"
ARCHIVED = "First Newsletter"
TOPICS = ("sent_email", "opened_email", "clicked_email", "bounced_email", "sent_sms", "received_sms", "clicked_sms")

_HTML = "<html><body><p>Hello {{ first_name|default:'there' }}</p></body></html>"


def add_template(store: Store, now: float) -> Resource:
    """A template with one variable."""
    sent = {"name": "Welcome", "editor_type": "CODE", "html": _HTML, "text": "Hello {{ first_name|default:'there' }}"}
    return templates.create(store, sent, now)


def add_campaigns(store: Store, template: Resource, now: float) -> None:
    """Three drafts, a sent campaign and an archived one."""
    for name in (*DRAFTS, SENT, ARCHIVED):
        sent = {"name": name, "audiences": {"included": []}}
        content = {"subject": name, "from_email": f"hello@{store.alias}.example", "from_label": "Sandbox"}
        campaign = campaigns.create(store, sent, [{"channel": "email", "label": name, "content": content}], now)
        for message in store.related(campaign, "campaign-messages"):
            copy = templates.copy(store, template, template.attributes["name"], now, reusable=False)
            store.link(message, "template", copy, now)
        if name not in DRAFTS:
            at = to_iso(now)
            campaign.attributes |= {"status": "Sent", "send_time": at, "scheduled_at": at, "archived": name == ARCHIVED}


def add_flows(store: Store, template: Resource, now: float) -> None:
    """A flow with a delay between two messages, and a flow with a single message."""
    email = {"from_email": f"hello@{store.alias}.example", "from_label": "Sandbox", "template_id": template.id}
    delay = {"unit": "days", "value": 2, "secondary_value": 0, "timezone": "profile"}
    welcome = [
        _send("welcome", "send-email", email | {"subject_line": "Welcome", "name": "Welcome, email 1"}, "delay"),
        {"temporary_id": "delay", "type": "time-delay", "links": {"next": "text"}, "data": delay},
        _send("text", "send-sms", {"body": "Hello again", "name": "Welcome, text 1"}, None),
    ]
    checkout = [_send("reminder", "send-email", email | {"subject_line": "Still there?", "name": "Reminder"}, None)]
    for name, trigger, actions in (
        ("Welcome Series", {"type": "list", "id": None}, welcome),
        ("Abandoned Checkout", {"type": "metric", "id": None, "trigger_filter": None}, checkout),
    ):
        definition = {"triggers": [trigger], "entry_action_id": actions[0]["temporary_id"], "actions": actions}
        flows.create(store, name, definition, now, status="live", message="live")


def add_form(store: Store, now: float) -> None:
    """A form with two versions, one of them live."""
    versions = [
        {"name": "Popup", "type": "popup", "status": "live", "steps": []},
        {"name": "Flyout", "type": "flyout", "status": "draft", "steps": []},
    ]
    sent = {"name": "Newsletter", "status": "live", "ab_test": False, "definition": {"versions": versions}}
    forms.create(store, sent, now)


def add_topics(store: Store) -> None:
    """Topics that webhooks can subscribe to."""
    for name in TOPICS:
        store.add("webhook-topic", {}, f"event:klaviyo.{name}")


def add_review(store: Store, now: float) -> None:
    """One published review."""
    at = to_iso(now)
    sent = {
        "email": f"guest@{store.alias}.example",
        "status": {"value": "published"},
        "verified": True,
        "review_type": "review",
        "created": at,
        "updated": at,
        "images": [],
        "product": {
            "url": f"https://{store.alias}.example/mug",
            "name": "Mug",
            "image_url": None,
            "external_id": "mug",
        },
        "rating": 5,
        "author": "Sam",
        "content": "It holds tea.",
        "title": "A good mug",
        "smart_quote": None,
    }
    store.add("review", sent)


def _send(id: str, type: str, message: dict[str, Any], following: str | None) -> dict[str, Any]:
    return {"temporary_id": id, "type": type, "links": {"next": following}, "data": {"message": message}}
