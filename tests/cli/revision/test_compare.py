"""Declarations beside an OpenAPI file: each thing that differs is told, and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from typer.testing import CliRunner
from typing_extensions import TypedDict

import tasks.registry  # noqa: F401  registers every action
from cli.commands import app
from cli.revision import compare as revision
from cli.revision.body_table import table
from cli.revision.compare import compare
from tests.openapi import needs_openapi, openapi
from worker.action import ACTIONS
from worker.api.declaration import declare
from worker.api.filter_fields import Filterable
from worker.api.parameters import Params
from worker.api.repeat import SAFE
from worker.api.wire import At, Linkage, Linkages, Resource


class Owner(TypedDict, total=False):
    id: str
    email: str


def get_things(
    *,
    filter: str | None = None,
    sort: Literal["name", "-name"] | None = None,
    additional_fields_thing: list[Literal["price"]] | None = None,
    page_size: Annotated[int, Field(ge=1, le=100)] | None = None,
) -> Any:
    """List things."""


def create_thing(
    *,
    name: str,
    colour: Literal["red", "green"] | None = None,
    tags: list[str] | None = None,
    owner: Annotated[Owner, Resource("profile"), At("data.attributes.owner.data")] | None = None,
    list_id: Annotated[str, At("data.relationships.list.data"), Linkage("list")],
    part_ids: Annotated[list[str], At("data.relationships.parts.data"), Linkages("part")] | None = None,
) -> Any:
    """Create a thing."""


def with_tags(params: Params) -> None:
    params.setdefault("tags", [])


def declared(function: Any, route: str, **options: Any) -> Any:
    chosen = {
        "limits": "3/s 60/m", "scopes": "things:read", "type": None, "repeat": None, "names_2024": "", "extra": {},
        "seed": {}, "checks": (), "max_body": 5_000_000, "multipart": False, **options,
    }  # fmt: skip
    return declare(function, route, **chosen)


GET = declared(get_things, "GET /api/things", extra={"additional_fields_thing=price": "1/s 15/m"})
CREATE = declared(create_thing, "POST /api/things", type="thing", repeat=SAFE, prepare=with_tags)


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def several(*values: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "enum": list(values)}}


def whole(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def linkage(kind: str) -> dict[str, Any]:
    return whole("type", "id", type={"type": "string", "enum": [kind]}, id={"type": "string"})


OWNER = whole(
    "type",
    type={"type": "string", "enum": ["profile"]},
    id={"type": "string"},
    attributes=whole(email={"type": "string"}),
)
THING = whole(
    "data",
    data=whole(
        "type",
        "attributes",
        type={"type": "string", "enum": ["thing"]},
        attributes=whole(
            "name",
            "tags",
            name={"type": "string"},
            colour={"type": "string", "enum": ["red", "green"], "nullable": True},
            tags={"type": "array", "items": {"type": "string"}, "nullable": True},
            owner=whole(data=OWNER),
        ),
        relationships=whole(
            list=whole(data=linkage("list")), parts=whole(data={"type": "array", "items": linkage("part")})
        ),
    ),
)
EXTRA = (
    "You can set the `additional-fields[thing]=price` parameter in your API request:<br>Burst: `1/s`<br>Steady: `15/m`"
)
API: dict[str, Any] = {
    "info": {"version": "2027-01-15"},
    "paths": {
        "/api/things": {
            "get": {
                "operationId": "get_things",
                "description": EXTRA,
                "x-klaviyo-ratelimit": {"burst": "3/s", "steady": "60/m"},
                "x-klaviyo-scopes": ["things:read"],
                "parameters": [
                    {"name": "revision", "in": "header", "required": True, "schema": {"type": "string"}},
                    query("filter", type="string"),
                    query("sort", type="string", enum=["name", "-name"]),
                    query("additional-fields[thing]", **several("price")),
                    query("page[size]", type="integer", minimum=1, maximum=100),
                ],
            },
            "post": {
                "operationId": "create_thing",
                "x-klaviyo-ratelimit": {"burst": "3/s", "steady": "60/m"},
                "x-klaviyo-scopes": ["things:read"],
                "requestBody": {
                    "content": {"application/vnd.api+json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
            },
        }
    },
    "components": {"schemas": {"Thing": THING}},
}


def owner(data: Any) -> Any:
    return data["attributes"]["properties"]["owner"]["properties"]["data"]["properties"]


def found(change: Any) -> list[tuple[str, str, str, str]]:
    """What differs once the file is changed."""
    api = copy.deepcopy(API)
    get, post = api["paths"]["/api/things"]["get"], api["paths"]["/api/things"]["post"]
    change(api, get, post, api["components"]["schemas"]["Thing"]["properties"]["data"]["properties"])
    return [(each.action, each.what, each.declared, each.published) for each in compare([GET, CREATE], api)]


def test_what_is_the_same_is_not_reported():
    assert found(lambda api, get, post, data: None) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            lambda api, get, post, data: api["paths"]["/api/things"].pop("get"),
            ("get_things", "operation", "GET /api/things", ""),
        ),
        (
            lambda api, get, post, data: api["paths"].update({"/api/x": {"delete": {"operationId": "delete_x"}}}),
            ("delete_x", "operation", "", "DELETE /api/x"),
        ),
        (
            lambda api, get, post, data: api["paths"].update({"/api/stuff": api["paths"].pop("/api/things")}),
            ("create_thing", "route", "POST /api/things", "POST /api/stuff"),
        ),
        (
            lambda api, get, post, data: get["x-klaviyo-ratelimit"].update(steady="150/m", daily="225/d"),
            ("get_things", "limits", "3/s 60/m", "3/s 150/m 225/d"),
        ),
        (
            lambda api, get, post, data: get.update(description=EXTRA.replace("15/m", "30/m")),
            ("get_things", "limits with additional-fields[thing]=price", "1/s 15/m", "1/s 30/m"),
        ),
        (
            lambda api, get, post, data: get.update(description=""),
            ("get_things", "limits with additional-fields[thing]=price", "1/s 15/m", ""),
        ),
        (
            lambda api, get, post, data: post.update({"x-klaviyo-scopes": ["things:read", "lists:write"]}),
            ("create_thing", "scopes", "things:read", "lists:write things:read"),
        ),
        (
            lambda api, get, post, data: get["parameters"].append(query("include")),
            ("get_things", "parameter include", "", "there"),
        ),
        (
            lambda api, get, post, data: get["parameters"].pop(2),
            ("get_things", "parameter sort", "there", ""),
        ),
        (
            lambda api, get, post, data: get["parameters"][1].update(required=True),
            ("get_things", "parameter filter", "optional", "required"),
        ),
        (
            lambda api, get, post, data: get["parameters"][2]["schema"].update(enum=["name", "created"]),
            ("get_things", "values of sort", "-name", "created"),
        ),
        (
            lambda api, get, post, data: get["parameters"][4]["schema"].update(maximum=50),
            ("get_things", "maximum of page[size]", "100", "50"),
        ),
        (
            lambda api, get, post, data: get.update(
                {"x-klaviyo-filters": {"name": {"operators": {"single": ["any"]}}}}
            ),
            ("get_things", "filter by name", "", "any"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"].update(size={"type": "integer"}),
            ("create_thing", "body data.attributes.size", "", "there"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"].pop("colour"),
            ("create_thing", "body data.attributes.colour", "there", ""),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"]["colour"]["enum"].append("blue"),
            ("create_thing", "values of data.attributes.colour", "", "blue"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["required"].append("colour"),
            ("create_thing", "body data.attributes.colour", "optional", "required"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["required"].remove("name"),
            ("create_thing", "body data.attributes.name", "required", "optional"),
        ),
        (
            lambda api, get, post, data: post.update(responses={"200": {}, "201": {}}),
            ("create_thing", "answers 200 or 201", "", "yes"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"]["colour"].pop("nullable"),
            ("create_thing", "null at data.attributes.colour", "taken", "refused"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"]["name"].update(nullable=True),
            ("create_thing", "null at data.attributes.name", "refused", "taken"),
        ),
        (
            lambda api, get, post, data: data["attributes"]["properties"]["name"].update(type="integer"),
            ("create_thing", "body data.attributes.name", "string", "integer"),
        ),
        (
            lambda api, get, post, data: owner(data)["attributes"]["properties"]["email"].update(nullable=True),
            ("create_thing", "null at data.attributes.owner.data.attributes.email", "refused", "taken"),
        ),
        (
            lambda api, get, post, data: owner(data)["attributes"].update(required=["email"]),
            ("create_thing", "body data.attributes.owner.data.attributes.email", "optional", "required"),
        ),
        (
            lambda api, get, post, data: post.pop("requestBody"),
            ("create_thing", "body", "there", ""),
        ),
    ],
)
def test_each_difference_is_reported_and_nothing_else(change: Any, difference: tuple[str, str, str, str]):
    assert [each for each in found(change) if each[0] == difference[0]] == [difference]


@pytest.mark.parametrize(
    ("told", "differences"),
    [
        ({"operators": {"single": ["equals"]}, "value": {"type": "string", "enum": ["live", "draft"]}}, []),
        (
            {"operators": {"list": ["equals"]}, "value": {"type": "string", "enum": ["live", "draft"]}},
            [("get_things", "filter by status", "equals", "equals equals[]")],
        ),
        (
            {"operators": {"single": ["equals"]}, "value": {"type": "string", "enum": ["live", "paused"]}},
            [("get_things", "values of filter by status", "draft, live", "live, paused")],
        ),
        (
            {"operators": {"single": ["equals"]}, "value": {"type": "string", "format": "date-time"}},
            [
                ("get_things", "kind of filter by status", "string", "date-time"),
                ("get_things", "values of filter by status", "draft, live", ""),
            ],
        ),
    ],
)
def test_what_a_field_is_filtered_by_is_compared(monkeypatch: Any, told: Any, differences: Any):
    ours = {"status": Filterable.parse(["live", "draft"], "equals")}
    monkeypatch.setattr(revision, "fields_of", lambda package, name: ours if name == "get_things" else None)

    assert found(lambda api, get, post, data: get.update({"x-klaviyo-filters": {"status": told}})) == differences


def test_what_a_declaration_leaves_free_is_found_by_the_shapes_that_bodies_are_checked_by(
    monkeypatch: pytest.MonkeyPatch,
):
    free = {"extra": {"type": "object", "properties": {"width": {"type": "integer"}}}}

    def change(width: dict[str, Any]) -> Any:
        def change(api: Any, get: Any, post: Any, data: Any) -> None:
            data["attributes"]["properties"].update(extra={"type": "object", "properties": {"width": width}})

        return change

    api = copy.deepcopy(API)
    api["components"]["schemas"]["Thing"]["properties"]["data"]["properties"]["attributes"]["properties"].update(free)
    monkeypatch.setattr("cli.revision.compare.table_of", lambda package: table(api))
    there = ("create_thing", "body data.attributes.extra", "", "there")

    assert found(change({"type": "integer"})) == [there]
    assert found(change({"type": "integer", "nullable": True})) == [
        there,
        ("create_thing", "shape of data.attributes.extra.width", "integer", "integer or null"),
    ]


def test_a_new_required_key_is_reported_as_required():
    def change(api: Any, get: Any, post: Any, data: Any) -> None:
        data["attributes"]["properties"]["size"] = {"type": "integer"}
        data["attributes"]["required"].append("size")

    assert ("create_thing", "body data.attributes.size", "", "required") in found(change)


def test_a_schema_that_holds_itself_has_an_end():
    def change(api: Any, get: Any, post: Any, data: Any) -> None:
        data["attributes"]["properties"]["inner"] = {"$ref": "#/components/schemas/Thing"}

    assert any(what.startswith("body data.attributes.inner") for _, what, _, _ in found(change))


# The command.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(API))
    return path


def test_the_command_ends_with_1_and_tells_what_differs(file: Path):
    told = CliRunner().invoke(app, ["revision", str(file)])
    as_json = CliRunner().invoke(app, ["revision", str(file), "--json"])

    assert told.exit_code == as_json.exit_code == 1
    assert "create_thing" in told.stdout
    assert "2027-01-15" in told.stderr
    rows = json.loads(as_json.stdout)
    assert {"action": "create_thing", "what": "operation", "declared": "", "published": "POST /api/things"} in rows
    assert len(rows) == len(ACTIONS) + 2


def test_the_command_ends_with_0_where_nothing_differs(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cli.revision.command.compare", lambda *_: [])

    told = CliRunner().invoke(app, ["revision", str(file)])

    assert told.exit_code == 0
    assert "No difference" in told.stderr


@pytest.mark.parametrize(("text", "why"), [("no", "not JSON"), ("[]", "no paths"), (None, "cannot be read")])
def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path: Path, text: str | None, why: str):
    path = tmp_path / "openapi.json"
    if text is not None:
        path.write_text(text)

    told = CliRunner().invoke(app, ["revision", str(path)])

    assert told.exit_code == 2
    assert why in " ".join(told.stderr.split())


OURS = [each.declaration for each in ACTIONS.values() if each.declaration.package == "tasks"]


@needs_openapi
def test_the_actions_are_those_of_the_pinned_revision():
    assert compare(OURS, openapi()) == []


@needs_openapi
def test_a_change_at_any_depth_of_klaviyos_file_is_reported():
    api = copy.deepcopy(openapi())
    schemas = api["components"]["schemas"]
    del schemas["SendEmailAction"]["properties"]["links"]["nullable"]
    schemas["ProfilePropertyCondition"]["properties"]["property"]["nullable"] = True
    schemas["StringOperatorStringFilter"]["properties"]["operator"]["enum"].append("resembles")
    schemas["ButtonStyles"]["properties"]["color"] = {"type": "integer"}
    schemas["TextBlockV1"]["required"].remove("data")

    told = {(each.action, each.what.rpartition(" ")[2].rpartition(".")[2]) for each in compare(OURS, api)}

    assert {
        ("create_flow", "links"),
        ("create_segment", "property"),
        ("create_segment", "operator"),
        ("create_form", "color"),
        ("create_template", "data"),
    } <= told
