"""Templates: creation, change, clone, rendering."""

from typing import Any

import pytest

from sandbox.sections import templates
from tests.sandbox.in_process import Sandbox, pointers


def created(sandbox: Sandbox, **attributes: Any) -> Any:
    sent = {"name": "Mine", "editor_type": "CODE", "html": "<p>{{ person.name|default:'you' }}</p>"}
    return sandbox.post("/api/templates", {"data": {"type": "template", "attributes": sent | attributes}})


def named(id: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": "template", "id": id, "attributes": attributes}}


def test_a_template_is_created_changed_and_deleted(free: Sandbox) -> None:
    id = created(free, text="Hello").json()["data"]["id"]
    changed = free.patch(f"/api/templates/{id}", named(id, name="Yours", html=None, text=None)).json()["data"]
    assert (changed["attributes"]["name"], changed["attributes"]["text"]) == ("Yours", None)
    assert changed["attributes"]["html"].startswith("<p>")
    assert [one["id"] for one in free.get("/api/templates", filter='equals(name,"Yours")').json()["data"]] == [id]
    assert free.delete(f"/api/templates/{id}").status_code == 204
    assert free.get(f"/api/templates/{id}").status_code == 404


def test_the_editor_must_be_known(free: Sandbox) -> None:
    assert pointers(created(free, editor_type="PAINT")) == ["/data/attributes/editor_type"]


def test_the_definition_is_shown_when_asked_for(free: Sandbox) -> None:
    definition = {"body": {"properties": {}, "styles": {}, "sections": []}, "styles": []}
    id = created(free, editor_type="SYSTEM_DRAGGABLE", html=None, definition=definition).json()["data"]["id"]
    plain = free.get(f"/api/templates/{id}").json()["data"]["attributes"]
    assert (plain["html"], "definition" in plain) == ("", False)
    extra = {"additional-fields[template]": "definition"}
    assert free.get(f"/api/templates/{id}", **extra).json()["data"]["attributes"]["definition"] == definition


def test_a_clone_is_a_template_of_its_own(free: Sandbox) -> None:
    id = created(free).json()["data"]["id"]
    copy = free.post("/api/template-clone", named(id, name="Twin"))
    assert copy.status_code == 201
    free.delete(f"/api/templates/{id}")
    assert free.get(f"/api/templates/{copy.json()['data']['id']}").json()["data"]["attributes"]["name"] == "Twin"


def test_rendering_puts_the_context_in(free: Sandbox) -> None:
    id = created(free, text="{{ a.b }}, {{ missing }}").json()["data"]["id"]
    answer = free.post("/api/template-render", named(id, context={"a": {"b": 3}}))
    shown = answer.json()["data"]["attributes"]
    assert (answer.status_code, shown["html"], shown["text"]) == (201, "<p>you</p>", "3, ")
    ada = free.post("/api/template-render", named(id, context={"person": {"name": "Ada"}})).json()
    assert ada["data"]["attributes"]["html"] == "<p>Ada</p>"


def test_an_account_has_a_thousand_templates_at_most(free: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert templates.MAX_TEMPLATES == 1000
    monkeypatch.setattr(templates, "MAX_TEMPLATES", 2)
    assert [created(free).status_code for _ in range(2)] == [201, 400]
