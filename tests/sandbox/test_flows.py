"""Flows: the seeded ones with their actions and messages, status, creation and deletion."""

from typing import Any

from tests.sandbox.in_process import Sandbox, pointers


def ids(sandbox: Sandbox, path: str, **params: str) -> list[str]:
    return [one["id"] for one in sandbox.get(path, **params).json()["data"]]


def welcome(sandbox: Sandbox) -> str:
    return ids(sandbox, "/api/flows", filter='equals(name,"Welcome Series")')[0]


def definition(sandbox: Sandbox, id: str) -> dict[str, Any]:
    extra = {"additional-fields[flow]": "definition"}
    found: dict[str, Any] = sandbox.get(f"/api/flows/{id}", **extra).json()["data"]["attributes"]["definition"]
    return found


def test_a_flow_leads_to_its_actions_and_these_to_their_messages_and_back(free: Sandbox) -> None:
    flow = welcome(free)
    actions = free.get(f"/api/flows/{flow}/flow-actions").json()["data"]
    kinds = [one["attributes"]["definition"]["type"] for one in actions]
    assert kinds == ["send-email", "time-delay", "send-sms"]
    assert ids(free, f"/api/flows/{flow}/relationships/flow-actions") == [one["id"] for one in actions]
    email = actions[0]["id"]
    message = ids(free, f"/api/flow-actions/{email}/flow-messages")[0]
    assert free.get(f"/api/flow-messages/{message}/flow-action").json()["data"]["id"] == email
    assert free.get(f"/api/flow-actions/{email}/relationships/flow").json()["data"]["id"] == flow
    assert free.get(f"/api/flow-messages/{message}/template").json()["data"]["attributes"]["name"] == "Welcome"
    assert ids(free, f"/api/flow-actions/{actions[1]['id']}/flow-messages") == []


def test_actions_and_messages_are_filtered_by_what_is_inside_their_definition(free: Sandbox) -> None:
    path = f"/api/flows/{welcome(free)}/flow-actions"
    emails = ids(free, path, filter='equals(action_type,"send-email"),equals(status,"live")', sort="action_type")
    assert len(emails) == 1
    found = free.get(f"/api/flow-actions/{emails[0]}/flow-messages", filter='ends-with(name,"email 1")', sort="name")
    assert found.json()["data"][0]["attributes"]["definition"]["subject_line"] == "Welcome"


def test_a_flow_shows_its_definition_when_asked_to(free: Sandbox) -> None:
    shown = definition(free, welcome(free))
    first, delay, last = shown["actions"]
    assert shown["entry_action_id"] == first["id"]
    assert (first["links"]["next"], delay["links"]["next"], last["links"]["next"]) == (delay["id"], last["id"], None)


def test_the_status_of_a_flow_is_that_of_its_actions_too(free: Sandbox) -> None:
    flow = welcome(free)

    def change(status: str) -> Any:
        return free.patch(
            f"/api/flows/{flow}", {"data": {"type": "flow", "id": flow, "attributes": {"status": status}}}
        )

    assert change("manual").json()["data"]["attributes"]["status"] == "manual"
    statuses = [one["data"].get("status") for one in definition(free, flow)["actions"]]
    assert statuses == ["manual", None, "manual"]
    assert pointers(change("on")) == ["/data/attributes/status"]


def test_a_new_flow_is_a_draft_whose_actions_have_ids_of_their_own(free: Sandbox) -> None:
    actions = [
        {"temporary_id": "1", "type": "time-delay", "links": {"next": "2"}, "data": {"unit": "days", "value": 1}},
        {"temporary_id": "2", "type": "send-email", "data": {"message": {"subject_line": "Hello", "name": "One"}}},
    ]
    sent = {"triggers": [{"type": "list", "id": free.list()}], "entry_action_id": "1", "actions": actions}
    body = {"data": {"type": "flow", "attributes": {"name": "New", "definition": sent}}}
    created = free.post("/api/flows", body).json()["data"]
    assert (created["attributes"]["status"], created["attributes"]["trigger_type"]) == ("draft", "Added to List")
    delay, email = definition(free, created["id"])["actions"]
    assert delay["links"] == {"next": email["id"]}
    assert free.delete(f"/api/flow-actions/{delay['id']}").status_code == 204
    rest = definition(free, created["id"])
    assert (rest["entry_action_id"], len(rest["actions"])) == (email["id"], 1)


def test_a_changed_action_changes_its_message(free: Sandbox) -> None:
    action = definition(free, welcome(free))["actions"][2]
    action["data"]["message"]["body"] = "Goodbye"
    data = {"type": "flow-action", "id": action["id"], "attributes": {"definition": action}}
    assert free.patch(f"/api/flow-actions/{action['id']}", {"data": data}).status_code == 200
    message = free.get(f"/api/flow-actions/{action['id']}/flow-messages").json()["data"][0]
    assert message["attributes"]["definition"]["body"] == "Goodbye"


def test_a_flow_goes_with_its_actions_and_messages(free: Sandbox) -> None:
    flow = welcome(free)
    action = ids(free, f"/api/flows/{flow}/flow-actions")[0]
    message = ids(free, f"/api/flow-actions/{action}/flow-messages")[0]
    assert free.delete(f"/api/flows/{flow}").status_code == 204
    for path in (f"flows/{flow}", f"flow-actions/{action}", f"flow-messages/{message}"):
        assert free.get(f"/api/{path}").status_code == 404
