"""Webhooks and their topics."""

from typing import Any

from tests.sandbox.in_process import Sandbox, pointers

SECRET = "0123456789abcdef"


def webhook(*topics: str, **attributes: Any) -> dict[str, Any]:
    sent = {"name": "Mine", "endpoint_url": "https://shop.example/hook", "secret_key": SECRET}
    links = {"webhook-topics": {"data": [{"type": "webhook-topic", "id": topic} for topic in topics]}}
    return {"data": {"type": "webhook", "attributes": sent | attributes, "relationships": links}}


def topics(sandbox: Sandbox) -> list[str]:
    return [one["id"] for one in sandbox.get("/api/webhook-topics").json()["data"]]


def test_a_webhook_is_about_topics_and_never_shows_its_secret(free: Sandbox) -> None:
    first, second, *_ = topics(free)
    created = free.post("/api/webhooks", webhook(first)).json()["data"]
    assert created["attributes"]["enabled"]
    assert SECRET not in str(created)
    path = f"/api/webhooks/{created['id']}"
    assert [one["id"] for one in free.get(path, include="webhook-topics").json()["included"]] == [first]
    change = webhook(second, enabled=False, secret_key=SECRET[::-1])
    change["data"]["id"] = created["id"]
    assert not free.patch(path, change).json()["data"]["attributes"]["enabled"]
    listed = free.get("/api/webhooks", include="webhook-topics").json()
    assert [one["id"] for one in listed["included"]] == [second]
    assert SECRET[::-1] not in str(listed)
    assert free.delete(path).status_code == 204
    assert free.get("/api/webhooks").json()["data"] == []


def test_a_webhook_needs_https_a_long_secret_and_a_known_topic(free: Sandbox) -> None:
    topic = topics(free)[0]
    assert free.get(f"/api/webhook-topics/{topic}").json()["data"]["id"] == topic
    insecure = free.post("/api/webhooks", webhook(topic, endpoint_url="http://shop.example"))
    assert pointers(insecure) == ["/data/attributes/endpoint_url"]
    assert pointers(free.post("/api/webhooks", webhook(topic, secret_key="short"))) == ["/data/attributes/secret_key"]
    assert pointers(free.post("/api/webhooks", webhook())) == ["/data/relationships/webhook-topics/data"]
    assert free.post("/api/webhooks", webhook("event:none")).status_code == 404
