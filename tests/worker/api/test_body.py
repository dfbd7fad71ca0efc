"""What is said of a body that has not its shape, and which keys nobody minds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from worker.api.body import Shapes, table_of

SHAPES: dict[str, Any] = {
    "Place": {"keys": {"city": "string?", "latitude": {"oneOf": ["string", "number"]}}},
    "Step": {"keys": {"name": "string", "then": "#Step?"}, "required": ["name"]},
    "Linked": {"keys": {"data": {"keys": {"type": ["list"], "id": "string"}, "required": ["type", "id"]}}},
}
ATTRIBUTES: dict[str, Any] = {
    "first_name": "string",
    "place": "#Place?",
    "step": "#Step",
    "since": "date",
    "count": "integer",
    "rate": "number",
    "level": ["low", "high", None],
    "tags": {"oneOf": ["string", {"items": "string"}]},
    "nothing": "empty",
    "filter": {
        "oneOf": [
            {"keys": {"type": ["date"], "operator": ["after"], "on": "date"}, "required": ["type", "operator", "on"]},
            {"keys": {"type": ["date"], "operator": ["within"], "days": "integer"}, "required": ["type", "operator"]},
            {"keys": {"type": ["text"], "value": "string"}, "required": ["type", "value"]},
            {"keys": {"type": ["flag"], "value": [True]}, "required": ["type", "value"]},
        ]
    },
    "image": {
        "oneOf": [
            {"keys": {"url": "string", "name": "string"}, "required": ["url", "name"]},
            {"keys": {"id": "string"}},
        ]
    },
}  # fmt: skip
THING: dict[str, Any] = {
    "keys": {
        "data": {
            "keys": {
                "type": ["thing"],
                "attributes": {"keys": ATTRIBUTES, "required": ["first_name"]},
                "relationships": {"keys": {"list": "#Linked"}},
            },
            "required": ["type", "attributes"],
        }
    },
    "required": ["data"],
}
CHECK = Shapes({"shapes": SHAPES, "bodies": {"create_thing": THING}}).body("create_thing")
assert CHECK


def said(body: Any) -> list[str]:
    assert CHECK
    return [f"{'.'.join(map(str, each.pointer))} {each.message}".strip() for each in CHECK(body)]


def of(**attributes: Any) -> list[str]:
    """What is said of attributes, from there."""
    found = said({"data": {"type": "thing", "attributes": {"first_name": "Ada", **attributes}}})
    return [each.removeprefix("data.attributes.") for each in found]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"first_name": None}, ["first_name must not be null"]),
        ({"first_name": 5}, ["first_name should be a string, not an integer"]),
        ({"place": None}, []),
        ({"place": []}, ["place should be an object, not an array"]),
        ({"place": {"latitude": True}}, ["place.latitude should be a number or a string, not a boolean"]),
        ({"since": "tomorrow"}, ["since should be a date in ISO 8601, not a string"]),
        ({"count": 2.0}, []),
        ({"count": 2.5}, ["count should be an integer, not a number"]),
        ({"count": True}, ["count should be an integer, not a boolean"]),
        ({"rate": 2}, []),
        ({"rate": math.nan}, ["rate should be a number"]),
        ({"level": None}, []),
        ({"level": "medium"}, ["level should be 'low', 'high' or null"]),
        ({"tags": ["a", 1]}, ["tags.1 should be a string, not an integer"]),
        ({"tags": 1}, ["tags should be a string or an array, not an integer"]),
        ({"nothing": {"a": 1}}, ["nothing should be an object without keys, not an object"]),
        ({"step": {"name": "a", "then": {"name": 1}}}, ["step.then.name should be a string, not an integer"]),
        ({"filter": {"type": "month"}}, ["filter.type should be 'date', 'text' or 'flag'"]),
        ({"filter": {"operator": "after"}}, ["filter.type is missing"]),
        ({"filter": {"type": "date", "operator": "before"}}, ["filter.operator should be 'after' or 'within'"]),
        ({"filter": {"type": "date", "operator": "after"}}, ["filter.on is missing"]),
        ({"filter": {"type": "flag", "value": 1}}, ["filter.value should be true"]),
        ({"filter": []}, ["filter should be an object, not an array"]),
        ({"image": {"url": "https://example.com"}}, ["image.name is missing"]),
        ({"image": {"id": "1"}}, []),
    ],
)  # fmt: skip
def test_a_problem_says_what_the_value_should_be(attributes: dict[str, Any], told: list[str]):
    assert of(**attributes) == told


def test_a_key_that_nobody_knows_is_refused_among_attributes_and_relationships_only():
    assert of(nickname="Ada", place={"planet": "Earth"}) == ["nickname is not known"]
    resource = {"type": "thing", "id": "1", "links": {}, "attributes": {"first_name": "Ada"}}
    assert said({"data": {**resource, "relationships": {"owner": {}}}, "meta": {}}) == [
        "data.relationships.owner is not known"
    ]


def test_a_key_that_looks_like_a_misspelled_one_is_refused_anywhere():
    assert of(place={"City": "London"}) == ["place.City is not known; did you mean 'city'?"]
    assert of(place={"citty": "London"}) == ["place.citty is not known; did you mean 'city'?"]
    assert of(place={"citty": "London", "city": "London"}) == []


def test_a_misspelled_key_is_not_missing_beside():
    body = {"data": {"type": "thing", "attributes": {"firstname": "Ada"}}}

    assert said(body) == ["data.attributes.firstname is not known; did you mean 'first_name'?"]


def test_what_is_missing_is_named_by_its_leaf():
    assert said({}) == ["data.attributes.first_name is missing"]
    assert said([]) == ["should be an object, not an array"]
    thing = {"type": "thing", "attributes": {"first_name": "Ada"}, "relationships": {"list": {"data": {}}}}
    assert said({"data": thing}) == [
        "data.relationships.list.data.type is missing",
        "data.relationships.list.data.id is missing",
    ]


@pytest.mark.parametrize("name", ["__main__", "no_such_package", "json", "worker"])
def test_a_package_without_a_table_has_no_shapes(name: str):
    assert table_of(name) is None
