"""Campaigns and their messages, and how to copy one."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

CHANNELS = ("email", "sms", "mobile_push")
_TRACKED = {"add_tracking_params": False, "custom_tracking_params": []}
_TRACKED_EMAIL = _TRACKED | {"is_tracking_clicks": True, "is_tracking_opens": True}
_DEFAULTS = {
    "email": {"channel": "email", "label": "", "content": {}},
    "sms": {"channel": "sms", "content": {}, "render_options": {}},
    "mobile_push": {"channel": "mobile_push", "notification_type": "standard", "content": {}},
}


def create(store: Store, sent: Mapping[str, Any], messages: list[Mapping[str, Any]], now: float) -> Resource:
    """Create a draft with its messages, each from its definition, and a first estimate of its recipients."""
    at = to_iso(now)
    channel = messages[0]["channel"]
    audiences = sent["audiences"]
    campaign = store.add(
        "campaign",
        {
            "name": sent["name"],
            "status": "Draft",
            "archived": False,
            "audiences": {"included": audiences["included"], "excluded": audiences.get("excluded") or []},
            "send_options": sent.get("send_options") or {"use_smart_sending": True},
            "tracking_options": (_TRACKED_EMAIL if channel == "email" else _TRACKED)
            | (sent.get("tracking_options") or {}),
            "send_strategy": sent.get("send_strategy") or {"method": "immediate"},
            "created_at": at,
            "updated_at": at,
            "scheduled_at": None,
            "send_time": None,
        },
    )
    campaign.private["messages"] = [{"channel": channel}]
    for definition in messages:
        message = store.add(
            "campaign-message",
            {
                "definition": merge_definition(_DEFAULTS[channel], definition),
                "send_times": [],
                "created_at": at,
                "updated_at": at,
            },
        )
        store.link(campaign, "campaign-messages", message, now)
    store.add(
        "campaign-recipient-estimation", {"estimated_recipient_count": count_recipients(store, campaign)}, campaign.id
    )
    return campaign


def clone(store: Store, original: Resource, name: str | None, now: float) -> Resource:
    """Create a draft like the original, with copies of its messages and the same tags, templates and images."""
    messages = list(store.related(original, "campaign-messages"))
    sent = deepcopy(original.attributes) | {"name": name or f"Copy of {original.attributes['name']}"}
    copy = create(store, sent, [deepcopy(one.attributes["definition"]) for one in messages], now)
    for tag in store.related(original, "tags"):
        store.link(copy, "tags", tag, now)
    for old, new in zip(messages, list(store.related(copy, "campaign-messages")), strict=True):
        for relation in ("template", "image"):
            for target in store.related(old, relation):
                store.link(new, relation, target, now)
    return copy


def remove(store: Store, campaign: Resource) -> None:
    """Delete a campaign, its messages and its estimation."""
    for message in list(store.related(campaign, "campaign-messages")):
        store.remove(message)
    estimation = store.find("campaign-recipient-estimation", campaign.id)
    if estimation:
        store.remove(estimation)
    store.remove(campaign)


def merge_definition(definition: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """A message's definition after an update: content and options are merged key by key, the rest is replaced."""
    result = {**definition, **sent}
    for name in ("content", "render_options", "options"):
        if isinstance(definition.get(name), dict) and isinstance(sent.get(name), dict):
            result[name] = definition[name] | sent[name]
    return result


def count_repeated_sends(store: Store) -> int:
    """How many campaigns a client tried to send that were being sent or had been."""
    return sum(1 for campaign in store.all("campaign") if campaign.private.get("sent_again"))


def count_recipients(store: Store, campaign: Resource) -> int:
    """How many profiles are in an included list or segment and in no excluded one. Unknown ids count as empty."""
    audiences = campaign.attributes["audiences"]
    return len(_members(store, audiences["included"]) - _members(store, audiences["excluded"]))


def _members(store: Store, ids: list[str]) -> set[str]:
    groups = (store.find(type, id) for id in ids for type in ("list", "segment"))
    return {member for group in groups if group for member in group.linked("profiles")}
