"""Every action against Klaviyo's own OpenAPI file of the pinned revision.

The shapes of bodies are held by the comparison that `klaviyo revision` makes.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, get_args, get_origin

import pytest

from tests.openapi import FILE, REASON, openapi
from tests.tasks.action_samples import declaration, first_sentence, smallest_call, stripped, whole_calls
from worker.action import ACTIONS
from worker.api.declaration import Declaration

if not FILE:
    # All of it at once: every process collects its two thousand tests.
    pytest.skip(REASON, allow_module_level=True)
every_action = pytest.mark.parametrize("name", sorted(ACTIONS))


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return openapi()


@pytest.fixture(scope="module")
def validator(api: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    components = lenient(api["components"])

    def validate(schema: Any, body: Any) -> list[str]:
        checker = jsonschema.Draft202012Validator({**lenient(schema), "components": components})
        return [f"{error.json_path}: {error.message}"[:300] for error in checker.iter_errors(body)]

    return validate


def lenient(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` beside anything, and overlapping `oneOf` as the `anyOf` that is meant."""
    if isinstance(schema, list):
        return [lenient(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {("anyOf" if key == "oneOf" else key): lenient(each) for key, each in schema.items() if key != "nullable"}
    return {"anyOf": [changed, {"type": "null"}]} if schema.get("nullable") is True else changed


def operation(api: dict[str, Any], found: Declaration) -> dict[str, Any]:
    path = found.path.replace("{list_id}", "{id}")
    return api["paths"][path][found.method.lower()]


def queries(found: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in found.get("parameters", []) if each["in"] == "query"}


def values(annotation: Any) -> set[str] | None:
    """The closed set that an annotation gives, of the items where it is a list."""
    plain, _ = stripped(annotation)
    if get_origin(plain) is list:
        plain, _ = stripped(get_args(plain)[0])
    return set(get_args(plain)) if get_origin(plain) is Literal else None


@every_action
def test_the_route_is_that_of_the_operation(name: str, api: dict[str, Any]):
    assert operation(api, declaration(name))["operationId"] == name


@every_action
def test_limits_and_scopes_are_those_of_the_operation(name: str, api: dict[str, Any]):
    found, published = declaration(name), operation(api, declaration(name))

    limits = published["x-klaviyo-ratelimit"]

    assert str(found.limits) == " ".join(limits[each] for each in ("burst", "steady", "daily") if each in limits)
    assert sorted(found.scopes) == sorted(published.get("x-klaviyo-scopes") or [])


@every_action
def test_extra_buckets_are_those_that_the_operation_publishes_or_shares(name: str, api: dict[str, Any]):
    found, published = declaration(name), operation(api, declaration(name))
    told = re.findall(
        r"`(include|additional-fields\[\w+\])=(\w+)` parameter in your API request:<br>"
        r"Burst: `([^`]+)`<br>Steady: `([^`]+)`",
        published["description"],
    )

    # The text says `list` where the parameter takes `lists`, and names a parameter that one operation does not have.
    expected = {
        f"{parameter}={value}{'s' if parameter == 'include' else ''}": f"{burst} {steady}"
        for parameter, value, burst, steady in told
        if parameter in queries(published)
    }
    if "additional-fields[profile]" in queries(published):
        # Published for some operations only, but all that offer it drain the account's one bucket.
        expected["additional-fields[profile]=predictive_analytics"] = "10/s 150/m"

    assert {extra.bucket.name: str(extra.bucket.limits) for extra in found.extras} == expected


@every_action
def test_query_parameters_are_those_of_the_operation(name: str, api: dict[str, Any]):
    found, published = declaration(name), queries(operation(api, declaration(name)))
    ours = {each.wire: each for each in found.parameters.values() if each.location == "query"}

    assert set(ours) == set(published)
    for wire, parameter in ours.items():
        schema = published[wire]["schema"]
        closed = schema.get("enum") or schema.get("items", {}).get("enum")
        assert values(parameter.annotation) == (set(closed) if closed else None), wire
        # An account knows its company id.
        assert parameter.required == (bool(published[wire].get("required")) and wire != "company_id"), wire


@every_action
def test_page_sizes_are_those_of_the_operation(name: str, api: dict[str, Any]):
    size = queries(operation(api, declaration(name))).get("page[size]")
    if size is None:
        return
    parameter = declaration(name).parameters["page_size"]

    bounds = {type(each).__name__: each for _, beside in [stripped(parameter.annotation)] for each in metadata(beside)}

    assert bounds["Ge"].ge == size["schema"]["minimum"]
    assert bounds["Le"].le == size["schema"]["maximum"]


def metadata(beside: list[Any]) -> list[Any]:
    return [each for field in beside for each in getattr(field, "metadata", [])]


@every_action
def test_requests_are_valid(name: str, api: dict[str, Any], validator: Any):
    found, published = declaration(name), operation(api, declaration(name))

    for given in (smallest_call(name), *whole_calls(name)):
        request = found.request(found.bind(given))

        assert request.method == found.method
        assert re.fullmatch(re.sub(r"{\w+}", "[^/]+", found.path), request.path)
        if request.body is None:
            assert "requestBody" not in published
        else:
            (content,) = published["requestBody"]["content"].values()
            # A form's values are text; test_images has a look at them.
            body = given if found.multipart else json.loads(request.body)
            assert found.multipart or validator(content["schema"], body) == []


@every_action
def test_docstrings_begin_with_a_short_sentence(name: str):
    first = first_sentence(name)

    assert len(first) < 80
    assert first.endswith(".")
    assert first[0].isupper()
