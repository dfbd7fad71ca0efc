"""From one table of shapes to another, each thing that has changed is told, wherever in a body it is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from cli.revision.body_change import changes
from worker.api.body import Table, table_of

TABLE: Any = {
    "shapes": {
        "Step": {"keys": {"name": "string?", "steps": {"items": "#Step"}}, "required": ["name"]},
        "Filter": {"oneOf": [{"keys": {"type": ["text"], "value": "string"}, "required": ["type"]}, "integer"]},
    },
    "bodies": {
        "create_form": {"keys": {"status": ["draft", "live"], "steps": {"items": "#Step"}, "filter": "#Filter?"}},
        "create_tag": {"keys": {"name": "string"}},
    },
}


def told(change: Any) -> list[tuple[str, str, str]]:
    after = deepcopy(TABLE)
    change(after["shapes"], after["bodies"]["create_form"]["keys"])
    assert list(changes(TABLE, after, "create_tag")) == []
    return [tuple(each) for each in changes(TABLE, after, "create_form")]


def test_what_is_the_same_is_not_reported():
    assert told(lambda shapes, body: body["status"].reverse()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda shapes, body: body["status"].append("paused"), ("status", "draft, live", "draft, live, paused")),
        (lambda shapes, body: body["status"].append(None), ("status", "draft, live", "draft, live or null")),
        (lambda shapes, body: body.update(steps="string"), ("steps", "array", "string")),
        (lambda shapes, body: body.update(name="string"), ("name", "", "there")),
        (lambda shapes, body: body.pop("status"), ("status", "there", "")),
        (lambda shapes, body: body.update(filter="#Filter"), ("filter", "alternatives or null", "alternatives")),
        (lambda shapes, body: shapes["Step"].update(required=[]), ("steps[].name", "required", "optional")),
        (lambda shapes, body: shapes["Step"]["keys"].update(name="string"),
         ("steps[].name", "string or null", "string")),
        (lambda shapes, body: shapes["Filter"]["oneOf"].append("string"),
         ("filter", "2 alternatives", "3 alternatives")),
        (lambda shapes, body: shapes["Filter"]["oneOf"][0]["keys"].update(value="number"),
         ("filter.value", "string", "number")),
    ],
)  # fmt: skip
def test_each_change_is_reported_once_and_nothing_else(change: Any, expected: tuple[str, str, str]):
    assert told(change) == [expected]


def test_a_change_in_any_of_klaviyos_shapes_is_reported():
    found = table_of("tasks")
    assert found
    before: Table = found
    after = deepcopy(before)
    objects = {name for name, shape in before["shapes"].items() if isinstance(shape, dict) and "keys" in shape}
    for name in objects:
        after["shapes"][name]["keys"][f"new in {name}"] = "string"  # type: ignore[call-overload,index]

    places = {each.place for action in before["bodies"] for each in changes(before, after, action)}

    assert {place.rpartition("new in ")[2] for place in places} == objects
