"""Forms and their versions."""

from typing import Any

from tests.sandbox.in_process import Sandbox, pointers


def seeded(sandbox: Sandbox) -> str:
    return str(sandbox.get("/api/forms", filter='equals(status,"live")').json()["data"][0]["id"])


def form(*versions: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    sent = {"name": "New", "status": "draft", "ab_test": False, "definition": {"versions": list(versions)}}
    return {"data": {"type": "form", "attributes": sent | attributes}}


def test_a_form_leads_to_its_versions_and_back(free: Sandbox) -> None:
    id = seeded(free)
    versions = free.get(f"/api/forms/{id}/form-versions", sort="created_at").json()["data"]
    assert [one["attributes"]["form_type"] for one in versions] == ["popup", "flyout"]
    live = free.get(f"/api/forms/{id}/relationships/form-versions", filter='equals(status,"live")').json()["data"]
    assert live == [{"type": "form-version", "id": versions[0]["id"]}]
    path = f"/api/form-versions/{versions[0]['id']}"
    assert free.get(path, include="form").json()["included"][0]["id"] == id
    assert free.get(f"{path}/form").json()["data"]["id"] == id


def test_only_one_form_alone_has_its_definition(free: Sandbox) -> None:
    id = seeded(free)
    definition = free.get(f"/api/forms/{id}").json()["data"]["attributes"]["definition"]
    versions = free.get(f"/api/forms/{id}/relationships/form-versions").json()["data"]
    assert [str(one["id"]) for one in definition["versions"]] == [one["id"] for one in versions]
    assert "definition" not in free.get("/api/forms").json()["data"][0]["attributes"]


def test_a_form_is_created_as_a_draft_and_goes_with_its_versions(free: Sandbox) -> None:
    created = free.post("/api/forms", form({"steps": [], "type": "full_screen"}))
    assert created.status_code == 201
    id = created.json()["data"]["id"]
    version = free.get(f"/api/forms/{id}/form-versions").json()["data"][0]
    assert version["attributes"]["form_type"] == "full_page"
    assert free.delete(f"/api/forms/{id}").status_code == 204
    assert free.get(f"/api/form-versions/{version['id']}").status_code == 404


def test_a_bad_form_is_pointed_at(free: Sandbox) -> None:
    versions = "/data/attributes/definition/versions"
    assert pointers(free.post("/api/forms", form({"steps": []}, status="live"))) == ["/data/attributes/status"]
    assert pointers(free.post("/api/forms", form())) == [versions]
    assert pointers(free.post("/api/forms", form({"type": "popup"}))) == [f"{versions}/0/steps"]
    assert pointers(free.post("/api/forms", form({"steps": [], "type": "hat"}))) == [f"{versions}/0/type"]
