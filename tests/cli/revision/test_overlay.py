"""A declaration over a schema, to the last leaf: alternatives, TypedDicts that stand in several places, null."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from cli.revision.outline import Outline, annotation_outline, published
from cli.revision.overlay import Overlay
from worker.api.wire import Linkages, NotNull


class Text(TypedDict, total=False):
    type: Required[Literal["text"]]
    operator: Required[Literal["equals", "contains"]]
    value: str | None


class Number(TypedDict, total=False):
    type: Required[Literal["number"]]
    value: Required[int | float]


Filter = Annotated[Text | Number, Field(discriminator="type")]


class Rule(TypedDict, total=False):
    filter: Required[Filter]
    filters: list[Filter] | None
    free: dict[str, Any]


def whole(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def one(value: str) -> dict[str, Any]:
    return {"type": "string", "enum": [value]}


STRING = {"type": "string"}
EQUALS = whole("type", "operator", type=one("text"), operator=one("equals"), value={**STRING, "nullable": True})
CONTAINS = whole("type", "operator", type=one("text"), operator=one("contains"), value=STRING)
NUMBER = whole("type", "value", type=one("number"), value={"type": "number"})
FREE = whole(width={"type": "integer"})


def rule(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    several = {"type": "array", "items": {"oneOf": [EQUALS, CONTAINS, NUMBER]}, "nullable": True}
    return whole("filter", **{"filter": {"oneOf": list(filters)}, "filters": several, "free": FREE, **more})


def told(annotation: Any, schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    overlay = Overlay()
    gaps = [*overlay.gaps("create_rule", annotation_outline(annotation), published({}, schema))]
    gaps += [gap for _, gap in overlay.too_much()]
    return [(gap.what, gap.declared, gap.published) for gap in gaps]


def test_a_typeddict_may_stand_for_several_forms_of_the_file_and_in_several_places():
    assert told(Rule, rule(EQUALS, CONTAINS, NUMBER)) == []
    assert told(Rule, rule(EQUALS)) == [("body filter<number>", "there", "")]
    assert told(Rule, rule(NUMBER)) == [("body filter<text>", "there", "")]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (whole("type", **NUMBER["properties"]), ("body filter<number>.value", "required", "optional")),
        (whole("type", "value", type=one("number"), value={"type": "number", "nullable": True}),
         ("null at filter<number>.value", "refused", "taken")),
        (whole("type", "value", "unit", **NUMBER["properties"], unit=STRING),
         ("body filter<number>.unit", "", "there")),
        (whole("type", "value", type=one("number"), value=STRING),
         ("body filter<number>.value", "integer or number", "number or string")),
        (whole("type", type=one("date")), ("body filter", "", "date")),
    ],
)  # fmt: skip
def test_what_the_file_takes_in_one_place_is_taken_in_that_place(changed: Any, expected: tuple[str, str, str]):
    assert expected in told(Rule, rule(EQUALS, CONTAINS, NUMBER, changed))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"filter": {"oneOf": [EQUALS, NUMBER]}, "filters": {"type": "array", "items": NUMBER, "nullable": True}},
         ("values of filter<text>.operator", "contains", "")),
        ({"filters": {"type": "array", "items": NUMBER}}, ("null at filters", "taken", "refused")),
        ({"free": None}, ("body free", "there", "")),
    ],
)  # fmt: skip
def test_what_the_file_accepts_in_no_place_is_reported_once(change: dict[str, Any], expected: tuple[str, str, str]):
    schema = rule(EQUALS, CONTAINS, NUMBER)
    schema["properties"] = {key: each for key, each in {**schema["properties"], **change}.items() if each}

    assert told(Rule, schema).count(expected) == 1


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int | None, {"type": "integer", "nullable": True}),
        (int | float, {"type": "number"}),
        (Literal["a", "b"], {"oneOf": [one("a"), one("b")]}),
        (Literal["a"] | None, {"type": "string", "enum": ["a", None]}),
        (dict[str, Any] | None, {"nullable": True}),
        (None, {"enum": [None]}),
        (list[str], {"type": "array", "items": STRING}),
        (bool, {"type": "boolean", "enum": [True, False]}),
        (Any, whole(width=STRING)),
        (Annotated[list[str], Linkages("tag"), NotNull()],
         {"type": "array", "items": whole("type", "id", type=one("tag"), id=STRING)}),
    ],
)  # fmt: skip
def test_the_same_said_in_python_and_in_the_file_is_the_same(annotation: Any, schema: dict[str, Any]):
    assert told(annotation, schema) == []


def test_null_beside_a_reference_counts():
    api = {"components": {"Name": STRING}}

    outline = published(api, {"$ref": "#/components/Name", "nullable": True})

    assert outline == Outline(published({}, STRING).forms, null=True)
