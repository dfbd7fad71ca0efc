"""The table of request bodies, out of an OpenAPI file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import tasks
from cli.commands import app
from cli.revision.body_table import table, text
from tests.openapi import needs_openapi, openapi

COMMITTED = Path(tasks.__file__ or "").with_name("bodies.json")


def ref(name: str, **beside: Any) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", **beside}


def holding(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SCHEMAS: dict[str, Any] = {
    "Kind": {"type": "string", "enum": ["thing"]},
    "Once": holding(size={"type": "integer", "nullable": True, "description": "How large."}),
    "Twice": {**holding(at={"type": "string", "format": "date-time"}), "required": ["at"]},
    "Inside": {"oneOf": [ref("Twice"), holding(inner=ref("Inside", nullable=True))]},
    "Outer": {"oneOf": [ref("Inside"), ref("Once")]},
}
BODY = holding(
    type=ref("Kind"),
    once=ref("Once", nullable=True),
    twice={"type": "array", "items": ref("Twice"), "nullable": True},
    outer=ref("Outer"),
    amount={"oneOf": [{"type": "integer"}, {"type": "number"}]},
    level={"oneOf": [{"type": "string", "enum": ["low"]}, {"type": "string", "enum": ["high"]}]},
    free={"type": "object"},
    any={"nullable": True},
    none={"type": "object", "maxProperties": 0},
)
API: dict[str, Any] = {
    "paths": {
        "/api/things": {
            "parameters": [],
            "get": {"operationId": "get_things"},
            "post": {
                "operationId": "create_thing",
                "requestBody": {"content": {"application/vnd.api+json": {"schema": BODY}}},
            },
        }
    },
    "components": {"schemas": SCHEMAS},
}
ONCE = {"keys": {"size": "integer?"}}


def test_the_table_has_facts_only_and_names_for_what_is_used_more_than_once():
    assert table(API) == {
        "shapes": {
            "Inside": {"oneOf": ["#Twice", {"keys": {"inner": "#Inside?"}}]},
            "Once": ONCE,
            "Twice": {"keys": {"at": "date-time"}, "required": ["at"]},
        },
        "bodies": {
            "create_thing": {
                "keys": {
                    "type": ["thing"],
                    "once": "#Once?",
                    "twice": {"items": "#Twice", "null": True},
                    "outer": {"oneOf": ["#Twice", {"keys": {"inner": "#Inside?"}}, "#Once"]},
                    "amount": "number",
                    "level": ["low", "high"],
                    "free": "object",
                    "any": "any",
                    "none": "empty",
                }
            }
        },
    }


def test_the_file_of_the_table_has_a_line_a_shape():
    assert json.loads(text(table(API))) == table(API)
    assert text(table(API)).count("\n") == 8


def test_the_command_writes_the_table_and_says_so(tmp_path: Path):
    file, written = tmp_path / "openapi.json", tmp_path / "bodies.json"
    file.write_text(json.dumps(API))

    told = CliRunner().invoke(app, ["revision", str(file), "--write-bodies", str(written)])

    assert told.exit_code == 0
    assert "the shapes of 1 request bodies" in " ".join(told.stderr.split())
    assert written.read_text() == text(table(API))


def test_what_is_no_file_of_klaviyos_or_cannot_be_written_is_reported_in_one_sentence(tmp_path: Path):
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(API))
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps({"paths": {}}))

    nowhere = CliRunner().invoke(app, ["revision", str(file), "--write-bodies", str(tmp_path / "no" / "bodies.json")])
    strange = CliRunner().invoke(app, ["revision", str(odd), "--write-bodies", str(tmp_path / "bodies.json")])

    assert (nowhere.exit_code, strange.exit_code) == (2, 2)
    assert "cannot be written" in " ".join(nowhere.stderr.split())
    assert "cannot be read" in " ".join(strange.stderr.split())


def test_the_table_is_small():
    assert COMMITTED.stat().st_size < 300_000


@needs_openapi
def test_the_table_is_that_of_the_pinned_revision():
    assert COMMITTED.read_text("utf-8") == text(table(openapi()))
