"""Flows: a trigger, a chain of actions and the messages that these send, as Klaviyo shows them."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

STATUSES = ("draft", "manual", "live")
TRIGGERS = {
    "list": "Added to List",
    "segment": "Added to List",
    "metric": "Metric",
    "date": "Date Based",
    "low-inventory": "Low Inventory",
    "price-drop": "Price Drop",
}
CHANNELS = {
    "send-email": "email",
    "send-sms": "sms",
    "send-mobile-push": "mobile_push",
    "send-whatsapp": "whatsapp",
    "send-webhook": "webhook",
    "send-internal-alert": "internal_alert",
}


def create(
    store: Store, name: str, definition: Mapping[str, Any], now: float, *, status: str = "draft", message: str = "draft"
) -> Resource:
    """Create a flow from its definition, in which actions refer to each other by temporary ids."""
    at = to_iso(now)
    triggers = definition["triggers"]
    flow = store.add(
        "flow",
        {
            "name": name,
            "status": status,
            "archived": False,
            "created": at,
            "updated": at,
            "trigger_type": TRIGGERS.get(triggers[0]["type"], "Unconfigured") if triggers else "Unconfigured",
        },
    )
    for target in _targets(store, triggers):
        store.link(target, "flow-triggers", flow, now)
    ids = {one["temporary_id"]: store.new_id("flow-action") for one in definition["actions"]}
    for one in definition["actions"]:
        _add_action(store, flow, one, ids, message, now)
    flow.private["definition"] = {
        "triggers": triggers,
        "profile_filter": definition.get("profile_filter"),
        "entry_action_id": ids.get(definition.get("entry_action_id")),
        "reentry_criteria": definition.get("reentry_criteria"),
    }
    return flow


def define(store: Store, action: Resource, definition: Mapping[str, Any]) -> None:
    """Set an action's definition and its message's content, and what listings filter and sort both by."""
    data = definition.get("data") or {}
    action.attributes["definition"] = {**definition, "id": action.id}
    action.private |= {"action_type": definition["type"], "status": data.get("status", "draft")}
    for message in store.related(action, "flow-messages"):
        content = {**(data.get("message") or {}), "id": message.id}
        message.attributes["definition"] = content
        message.private["name"] = content.get("name")


def set_status(store: Store, flow: Resource, status: str, now: float) -> None:
    """Change the status of a flow and of all its actions that have one."""
    flow.attributes["status"] = status
    store.touch(flow, now)
    for action in store.related(flow, "flow-actions"):
        definition = action.attributes["definition"]
        if "status" in (definition.get("data") or {}):
            define(store, action, definition | {"data": definition["data"] | {"status": status}})
            store.touch(action, now)


def remove(store: Store, flow: Resource) -> None:
    """Delete a flow, its actions and their messages."""
    for action in list(store.related(flow, "flow-actions")):
        _remove_action(store, action)
    for target in _targets(store, flow.private["definition"]["triggers"]):
        store.unlink(target, "flow-triggers", flow.id)
    store.remove(flow)


def cut_out(store: Store, action: Resource) -> None:
    """Delete an action and its messages; what led to it now leads to what followed it."""
    following = (action.attributes["definition"].get("links") or {}).get("next")
    for flow in store.related(action, "flow"):
        if flow.private["definition"]["entry_action_id"] == action.id:
            flow.private["definition"]["entry_action_id"] = following
        for other in store.related(flow, "flow-actions"):
            links = other.attributes["definition"].get("links") or {}
            links |= {name: following for name, target in links.items() if target == action.id}
    _remove_action(store, action)


def _targets(store: Store, triggers: Iterable[Mapping[str, Any]]) -> list[Resource]:
    """The lists, segments and metrics that start a flow."""
    named = [one for one in triggers if one.get("type") in ("list", "segment", "metric") and one.get("id")]
    return [found for one in named if (found := store.find(one["type"], one["id"]))]


def _remove_action(store: Store, action: Resource) -> None:
    for message in list(store.related(action, "flow-messages")):
        store.remove(message)
    store.remove(action)


def _add_action(
    store: Store, flow: Resource, sent: Mapping[str, Any], ids: Mapping[str, str], status: str, now: float
) -> None:
    at = to_iso(now)
    definition = {name: value for name, value in sent.items() if name != "temporary_id"}
    definition["links"] = {name: ids.get(target) for name, target in (sent.get("links") or {}).items()}
    action = store.add("flow-action", {"created": at, "updated": at}, ids[sent["temporary_id"]])
    store.link(flow, "flow-actions", action, now)
    content = (sent.get("data") or {}).get("message")
    if content is not None:
        message = store.add("flow-message", {"channel": CHANNELS.get(sent["type"]), "created": at, "updated": at})
        store.link(action, "flow-messages", message, now)
        template = store.find("template", content.get("template_id") or "")
        if template:
            store.link(message, "template", template, now)
        definition["data"] = {"status": status} | sent["data"] | {"message": {**content, "id": message.id}}
    define(store, action, definition)
