"""Bulk jobs of the catalog: what they do, what fails in them, how many there may be."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers
from tests.sandbox.test_catalogs import PREFIX, category, item, variant

KINDS = {"item": "items", "variant": "variants", "category": "categories"}


def start(sandbox: Sandbox, kind: str, act: str, *things: dict[str, Any]) -> Any:
    type = f"catalog-{kind}-bulk-{act}-job"
    return sandbox.post(f"/api/{type}s", {"data": {"type": type, "attributes": {KINDS[kind]: {"data": list(things)}}}})


def done(sandbox: Sandbox, kind: str, act: str, *things: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a job after its time."""
    answer = start(sandbox, kind, act, *things)
    assert answer.status_code == 202, answer.text
    sandbox.clock.advance(1)
    path = f"/api/catalog-{kind}-bulk-{act}-jobs/{answer.json()['data']['id']}"
    found: dict[str, Any] = sandbox.get(path).json()["data"]["attributes"]
    assert found["status"] == "complete"
    return found


def of(thing: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """A thing by its id, with new attributes if any."""
    named = {"type": thing["type"], "id": PREFIX + thing["attributes"]["external_id"]}
    return named | ({"attributes": attributes} if attributes else {})


@pytest.mark.parametrize(
    ("kind", "thing", "change"),
    [
        ("item", item("B-1"), {"title": "Cup"}),
        ("variant", variant("B-1-S"), {"price": 7}),
        ("category", category("B"), {"name": "Garden"}),
    ],
)
def test_things_are_created_changed_and_deleted(
    free: Sandbox, kind: str, thing: dict[str, Any], change: dict[str, Any]
) -> None:
    free.post("/api/catalog-items", {"data": item("A-1")})
    path = f"/api/catalog-{KINDS[kind]}/{of(thing)['id']}"
    assert start(free, kind, "create", thing).json()["data"]["attributes"]["status"] == "queued"
    assert free.get(path).status_code == 404
    free.clock.advance(1)
    assert free.get(path).status_code == 200
    assert done(free, kind, "update", of(thing, **change))["completed_count"] == 1
    shown = free.get(path).json()["data"]["attributes"]
    assert {name: shown[name] for name in change} == change
    assert done(free, kind, "delete", of(thing))["completed_count"] == 1
    assert free.get(path).status_code == 404


def test_what_a_job_refuses_is_counted_and_in_its_errors(free: Sandbox) -> None:
    free.post("/api/catalog-items", {"data": item("A-1")})
    job = done(free, "item", "create", item("A-2"), item("reject-3"), item("A-1"))
    assert (job["total_count"], job["completed_count"], job["failed_count"]) == (3, 1, 2)
    refused, taken = job["errors"]
    assert refused["source"] == {"pointer": "/data/attributes/items/data/1"}
    assert refused["meta"] == {"external_id": "reject-3"}
    assert (taken["id"], taken["code"], taken["title"]) == (None, None, None)
    assert taken["detail"] == "An item with the external id A-1 already exists."
    assert free.get(f"/api/catalog-items/{PREFIX}A-2").status_code == 200


def test_one_malformed_thing_refuses_the_whole_request(free: Sandbox) -> None:
    bad = item("A-2")
    del bad["attributes"]["title"]
    refused = start(free, "item", "create", item("A-1"), bad)
    assert (refused.status_code, pointers(refused)) == (400, ["/data/attributes/items/data/1/attributes/title"])
    assert start(free, "item", "delete", {"type": "catalog-item"}).status_code == 400
    moved = of(item("A-1"), external_id="A-9")
    assert start(free, "item", "update", moved).status_code == 400
    assert start(free, "item", "create", *(item(f"A-{n}") for n in range(101))).status_code == 400


def test_a_job_is_read_with_what_it_made(free: Sandbox) -> None:
    done(free, "item", "create", item("A-1"), item("A-2"))
    path = "/api/catalog-item-bulk-create-jobs"
    listed = free.get(path).json()["data"][0]
    assert (listed["attributes"]["completed_count"], listed["attributes"]["errors"]) == (2, [])
    id = listed["id"]
    included = free.get(f"{path}/{id}", include="items").json()["included"]
    assert [one["attributes"]["external_id"] for one in included] == ["A-1", "A-2"]


def test_jobs_are_listed_by_status_a_hundred_a_page(free: Sandbox) -> None:
    path = "/api/catalog-category-bulk-delete-jobs"
    for n in range(101):
        start(free, "category", "delete", of(category(f"C-{n}")))
    queued = free.get(path, filter='equals(status,"queued")').json()
    assert len(queued["data"]) == 100
    rest = free.get(queued["links"]["next"].removeprefix("http://sandbox")).json()
    assert (len(rest["data"]), rest["links"]["next"]) == (1, None)
    free.clock.advance(1)
    assert free.get(path, filter='equals(status,"queued")').json()["data"] == []


def test_only_500_jobs_of_a_type_are_in_progress_at_one_time(free: Sandbox) -> None:
    for _ in range(500):
        assert start(free, "item", "delete", of(item("A-1"))).status_code == 202
    refused = start(free, "item", "delete", of(item("A-1")))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "too_many_jobs")
    assert start(free, "item", "create", item("A-1")).status_code == 202
    free.clock.advance(1)
    assert start(free, "item", "delete", of(item("A-1"))).status_code == 202
