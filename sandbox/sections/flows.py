"""Flows: create from a definition, change the status, delete; the definition as an additional field."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import flows
from sandbox.records.store import Resource

_DEFINITION = "/data/attributes/definition"


def create_flow(call: Call) -> Reply:
    """Create a draft."""
    definition = call.attributes["definition"]
    for index, action in enumerate(definition["actions"]):
        if not action.get("temporary_id"):
            raise invalid("temporary_id is a required field.", f"{_DEFINITION}/actions/{index}/temporary_id")
    return documents.single(call, flows.create(call.store, call.attributes["name"], definition, call.now))


def update_flow(call: Call) -> Reply:
    """Change the status of a flow and of all its actions."""
    status = call.attributes["status"]
    if status not in flows.STATUSES:
        raise invalid(f"Must be one of {', '.join(flows.STATUSES)}.", "/data/attributes/status")
    flow = call.store.get("flow", call.path_id)
    flows.set_status(call.store, flow, status, call.now)
    return documents.single(call, flow)


def delete_flow(call: Call) -> Reply:
    """Delete a flow, with its actions and messages."""
    flows.remove(call.store, call.store.get("flow", call.path_id))
    return Reply()


def update_flow_action(call: Call) -> Reply:
    """Replace an action's definition."""
    action = call.store.get("flow-action", call.path_id)
    definition = call.attributes["definition"]
    if definition["type"] != action.attributes["definition"]["type"]:
        raise invalid("A definition of the same type is required.", f"{_DEFINITION}/type")
    flows.define(call.store, action, definition)
    call.store.touch(action, call.now)
    return documents.single(call, action)


def delete_flow_action(call: Call) -> Reply:
    """Delete an action, with its messages."""
    flows.cut_out(call.store, call.store.get("flow-action", call.path_id))
    return Reply()


def definition(call: Call, flow: Resource) -> Any:
    """The triggers, filters and all actions of a flow."""
    actions = [action.attributes["definition"] for action in call.store.related(flow, "flow-actions")]
    return flow.private["definition"] | {"actions": actions}


ADDITIONAL = {("flow", "definition"): definition}
