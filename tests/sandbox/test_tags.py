"""Tags and tag groups, and the operations that have no behaviour of their own yet."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox


def tag(sandbox: Sandbox, name: str, group: str | None = None) -> str:
    data: dict[str, Any] = {"type": "tag", "attributes": {"name": name}}
    if group:
        data["relationships"] = {"tag-group": {"data": {"type": "tag-group", "id": group}}}
    return str(sandbox.post("/api/tags", {"data": data}).json()["data"]["id"])


def group(sandbox: Sandbox, name: str, *, exclusive: bool) -> str:
    data = {"type": "tag-group", "attributes": {"name": name, "exclusive": exclusive}}
    return str(sandbox.post("/api/tag-groups", {"data": data}).json()["data"]["id"])


def first(sandbox: Sandbox, collection: str) -> str:
    params = {"filter": 'equals(messages.channel,"email")'} if collection == "campaigns" else {}
    return str(sandbox.get(f"/api/{collection}", **params).json()["data"][0]["id"])


@pytest.mark.parametrize("collection", ["campaigns", "flows", "lists", "segments"])
def test_a_tag_is_put_on_and_taken_off_and_seen_from_both_ends(free: Sandbox, collection: str) -> None:
    free.list()
    mine, target = tag(free, "Spring"), first(free, collection)
    path, body = f"/api/tags/{mine}/relationships/{collection}", {"data": [{"type": collection[:-1], "id": target}]}
    assert free.post(path, body).status_code == 204
    assert free.get(path).json()["data"] == body["data"]
    assert free.get(f"/api/{collection}/{target}/tags").json()["data"][0]["id"] == mine
    assert free.delete(path, body).status_code == 204
    assert free.get(f"/api/{collection}/{target}/relationships/tags").json()["data"] == []


def test_a_tag_goes_into_the_default_group_unless_told_otherwise(free: Sandbox) -> None:
    seasons = group(free, "Seasons", exclusive=False)
    of_default = free.get(f"/api/tags/{tag(free, 'A')}/tag-group").json()["data"]
    assert of_default["attributes"]["default"]
    assert free.get(f"/api/tags/{tag(free, 'B', seasons)}/tag-group").json()["data"]["id"] == seasons


def test_a_name_is_taken_once_and_a_tag_can_be_renamed(free: Sandbox) -> None:
    mine = tag(free, "Spring")
    again = {"data": {"type": "tag", "attributes": {"name": "spring"}}}
    assert free.post("/api/tags", again).status_code == 409
    renamed = {"data": {"type": "tag", "id": mine, "attributes": {"name": "Summer"}}}
    assert free.patch(f"/api/tags/{mine}", renamed).status_code == 204
    assert free.get(f"/api/tags/{mine}").json()["data"]["attributes"] == {"name": "Summer"}


def test_of_an_exclusive_group_a_list_has_one_tag(free: Sandbox) -> None:
    seasons, vip = group(free, "Seasons", exclusive=True), free.list()
    body = {"data": [{"type": "list", "id": vip}]}
    answers = [
        free.post(f"/api/tags/{tag(free, name, seasons)}/relationships/lists", body).status_code
        for name in ("Spring", "Summer")
    ]
    assert answers == [204, 400]


def test_a_group_goes_with_its_tags_and_the_default_one_stays(free: Sandbox) -> None:
    seasons = group(free, "Seasons", exclusive=False)
    spring = tag(free, "Spring", seasons)
    assert free.delete(f"/api/tag-groups/{seasons}").status_code == 204
    assert free.get(f"/api/tags/{spring}").status_code == 404
    default = free.get("/api/tag-groups").json()["data"][0]["id"]
    assert free.delete(f"/api/tag-groups/{default}").status_code == 400


def test_other_resources_are_stored_changed_and_deleted(free: Sandbox) -> None:
    sent = {"name": "Weather", "url": "https://feed.example", "request_method": "get", "content_type": "json"}
    created = free.post("/api/web-feeds", {"data": {"type": "web-feed", "attributes": sent}})
    assert created.status_code == 201
    id = created.json()["data"]["id"]
    change = {"data": {"type": "web-feed", "id": id, "attributes": {"name": "Rain"}}}
    assert free.patch(f"/api/web-feeds/{id}", change).json()["data"]["attributes"]["name"] == "Rain"
    assert free.get("/api/web-feeds", filter='contains(name,"rain")').json()["data"][0]["id"] == id
    assert free.delete(f"/api/web-feeds/{id}").status_code == 204
    assert free.get(f"/api/web-feeds/{id}").status_code == 404
