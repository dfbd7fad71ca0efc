"""Campaigns: their messages and templates, their channels, and the jobs that have their id."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers

EMAIL = {"channel": "email", "label": "First", "content": {"subject": "Hello", "from_email": "a@shop.example"}}
SMS = {"channel": "sms", "content": {"body": "Hello"}}
LATER = {"method": "static", "datetime": "2030-01-01T00:00:00Z", "options": {"is_local": False}}
ESTIMATES = "/api/campaign-recipient-estimation-jobs"
SENDS = "/api/campaign-send-jobs"


def campaign(*definitions: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    messages = [{"type": "campaign-message", "attributes": {"definition": one}} for one in definitions or (EMAIL,)]
    sent = {"name": "Spring", "audiences": {"included": []}, "campaign-messages": {"data": messages}}
    return {"data": {"type": "campaign", "attributes": sent | attributes}}


def created(sandbox: Sandbox, *definitions: dict[str, Any], **attributes: Any) -> str:
    answer = sandbox.post("/api/campaigns", campaign(*definitions, **attributes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def job(kind: str, id: str) -> dict[str, Any]:
    return {"data": {"type": f"campaign-{kind}-job", "id": id}}


def attributes(sandbox: Sandbox, id: str) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.get(f"/api/campaigns/{id}").json()["data"]["attributes"]
    return found


def listed(sandbox: Sandbox, filter: str) -> list[str]:
    return [one["id"] for one in sandbox.get("/api/campaigns", filter=filter).json()["data"]]


def message_id(sandbox: Sandbox, id: str) -> str:
    return str(sandbox.get(f"/api/campaigns/{id}/relationships/campaign-messages").json()["data"][0]["id"])


def stop(sandbox: Sandbox, id: str, action: str) -> int:
    body = {"data": {"type": "campaign-send-job", "id": id, "attributes": {"action": action}}}
    return sandbox.patch(f"{SENDS}/{id}", body).status_code


def test_a_campaign_comes_with_its_messages(free: Sandbox) -> None:
    id = created(free, EMAIL, EMAIL | {"label": "Second"})
    answer = free.get(f"/api/campaigns/{id}", include="campaign-messages,tags").json()
    assert answer["data"]["attributes"]["status"] == "Draft"
    assert answer["data"]["attributes"]["send_strategy"] == {"method": "immediate"}
    assert [one["attributes"]["definition"]["label"] for one in answer["included"]] == ["First", "Second"]
    of_message = free.get(f"/api/campaign-messages/{message_id(free, id)}/campaign").json()["data"]
    assert of_message["id"] == id


def test_a_list_of_campaigns_must_say_the_channel(free: Sandbox) -> None:
    text, mail = created(free, SMS), created(free)
    for filter in ({}, {"filter": 'contains(name,"Spring")'}, {"filter": "equals(messages.channel,'fax')"}):
        assert pointers(free.get("/api/campaigns", **filter)) == ["filter"]
    assert listed(free, "equals(messages.channel,'sms')") == [text]
    emails = listed(free, "equals(messages.channel,'email')")
    assert mail in emails
    assert text not in emails


def test_archived_campaigns_are_listed_apart(free: Sandbox) -> None:
    current = listed(free, "equals(messages.channel,'email')")
    archived = listed(free, "equals(messages.channel,'email'),equals(archived,true)")
    assert len(archived) == 1
    assert not set(archived) & set(current)


@pytest.mark.parametrize(
    ("strategy", "place"),
    [
        ({"method": "soon"}, "method"),
        ({"method": "static"}, "datetime"),
        ({"method": "throttled", "datetime": "2030-01-01T00:00:00Z", "throttle_percentage": 12}, "throttle_percentage"),
        ({"method": "smart_send_time", "date": "whenever"}, "date"),
    ],
)
def test_a_bad_strategy_is_pointed_at(free: Sandbox, strategy: dict[str, Any], place: str) -> None:
    refused = free.post("/api/campaigns", campaign(send_strategy=strategy))
    assert pointers(refused) == [f"/data/attributes/send_strategy/{place}"]


def test_all_messages_have_one_known_channel(free: Sandbox) -> None:
    place = "/data/attributes/campaign-messages/data"
    assert pointers(free.post("/api/campaigns", campaign(EMAIL, SMS))) == [f"{place}/1/attributes/definition/channel"]
    fax = free.post("/api/campaigns", campaign({"channel": "fax"}))
    assert pointers(fax) == [f"{place}/0/attributes/definition/channel"]


def test_a_change_leaves_out_what_it_does_not_name(free: Sandbox) -> None:
    id = created(free, audiences={"included": ["A"], "excluded": ["B"]})
    body = {"data": {"type": "campaign", "id": id, "attributes": {"audiences": {"included": ["C"]}}}}
    changed = free.patch(f"/api/campaigns/{id}", body).json()["data"]["attributes"]
    assert (changed["name"], changed["audiences"]) == ("Spring", {"included": ["C"], "excluded": ["B"]})


def test_a_message_is_changed_key_by_key_and_keeps_its_channel(free: Sandbox) -> None:
    message = message_id(free, created(free))
    path = f"/api/campaign-messages/{message}"

    def change(definition: dict[str, Any]) -> Any:
        data = {"type": "campaign-message", "id": message, "attributes": {"definition": definition}}
        return free.patch(path, {"data": data})

    content = change({"channel": "email", "content": {"subject": "New"}}).json()["data"]["attributes"]["definition"]
    assert content["content"] == {"subject": "New", "from_email": "a@shop.example"}
    assert pointers(change(SMS)) == ["/data/attributes/definition/channel"]


def test_a_template_is_assigned_as_a_copy_that_is_not_listed(free: Sandbox) -> None:
    template = free.get("/api/templates").json()["data"][0]["id"]
    message = message_id(free, created(free))
    link = {"template": {"data": {"type": "template", "id": template}}}
    body = {"data": {"type": "campaign-message", "id": message, "relationships": link}}
    answer = free.post("/api/campaign-message-assign-template", body)
    assert answer.status_code == 200
    assert answer.json()["data"]["attributes"]["channel"] == "email"
    copy = free.get(f"/api/campaign-messages/{message}/template").json()["data"]
    assert copy["id"] != template
    assert copy["attributes"]["name"] == "Welcome"
    assert [one["id"] for one in free.get("/api/templates").json()["data"]] == [template]


def test_a_clone_is_a_draft_with_messages_and_tags_of_the_original(free: Sandbox) -> None:
    original = created(free)
    tag = free.post("/api/tags", {"data": {"type": "tag", "attributes": {"name": "Spring"}}}).json()["data"]["id"]
    free.post(f"/api/tags/{tag}/relationships/campaigns", {"data": [{"type": "campaign", "id": original}]})
    body = {"data": {"type": "campaign", "id": original, "attributes": {"new_name": "Again"}}}
    copy = free.post("/api/campaign-clone", body).json()["data"]
    assert copy["attributes"]["name"] == "Again"
    assert message_id(free, copy["id"]) != message_id(free, original)
    assert free.get(f"/api/campaigns/{copy['id']}/relationships/tags").json()["data"] == [{"type": "tag", "id": tag}]


def test_an_estimation_counts_who_is_included_and_not_excluded_once_its_job_is_done(free: Sandbox) -> None:
    vip, barred = free.list("VIP"), free.list("Barred")
    id = created(free, audiences={"included": [vip], "excluded": [barred]})
    people = [{"type": "profile", "id": free.profile(email=f"p{n}@example.com")} for n in range(3)]
    free.post(f"/api/lists/{vip}/relationships/profiles", {"data": people})
    free.post(f"/api/lists/{barred}/relationships/profiles", {"data": people[:1]})

    def estimated() -> int:
        answer = free.get(f"/api/campaign-recipient-estimations/{id}").json()
        return int(answer["data"]["attributes"]["estimated_recipient_count"])

    assert estimated() == 0
    started = free.post(ESTIMATES, job("recipient-estimation", id))
    assert (started.status_code, started.json()["data"]["id"]) == (202, id)
    assert estimated() == 0
    free.clock.advance(1)
    assert free.get(f"{ESTIMATES}/{id}").json()["data"]["attributes"] == {"status": "complete"}
    assert estimated() == 2


def test_a_campaign_is_sent_once_by_a_job_with_its_id(free: Sandbox) -> None:
    id = created(free)
    assert free.post(SENDS, job("send", id)).json()["data"]["id"] == id
    assert attributes(free, id)["status"] == "Preparing to send"
    free.clock.advance(0.5)
    assert free.get(f"{SENDS}/{id}").json()["data"]["attributes"]["status"] == "processing"
    free.clock.advance(0.5)
    assert free.get(f"{SENDS}/{id}").json()["data"]["attributes"]["status"] == "complete"
    assert attributes(free, id)["status"] == "Sent"
    assert free.post(SENDS, job("send", id)).status_code == 409


def test_a_campaign_for_later_is_scheduled_and_sent_when_its_time_has_come(free: Sandbox) -> None:
    id = created(free, send_strategy=LATER)
    free.post(SENDS, job("send", id))
    free.clock.advance(1)
    scheduled = attributes(free, id)
    assert (scheduled["status"], scheduled["send_time"]) == ("Scheduled", "2030-01-01T00:00:00+00:00")
    free.clock.advance(1_893_456_000 - free.clock.now)
    assert attributes(free, id)["status"] == "Sent"


def test_a_send_is_reverted_or_cancelled_as_long_as_it_is_under_way(free: Sandbox) -> None:
    id = created(free, send_strategy=LATER)
    free.post(SENDS, job("send", id))
    assert stop(free, id, "revert") == 204
    assert attributes(free, id)["status"] == "Draft"
    free.clock.advance(1)
    assert attributes(free, id)["status"] == "Draft"
    free.post(SENDS, job("send", id))
    free.clock.advance(1)
    assert stop(free, id, "pause") == 400
    assert stop(free, id, "cancel") == 204
    assert attributes(free, id)["status"] == "Cancelled"
    assert free.get(f"{SENDS}/{id}").json()["data"]["attributes"]["status"] == "cancelled"
    assert stop(free, id, "cancel") == 400


def test_a_campaign_goes_with_its_messages(free: Sandbox) -> None:
    id = created(free)
    message = message_id(free, id)
    assert free.delete(f"/api/campaigns/{id}").status_code == 204
    assert free.get(f"/api/campaign-messages/{message}").status_code == 404
