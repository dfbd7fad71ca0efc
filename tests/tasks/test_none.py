"""None passed for a parameter: null on the wire where Klaviyo takes null, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cases import for_each
from tests.tasks.action_samples import declaration, whole_calls
from worker.action import ACTIONS
from worker.api.declaration import Declaration
from worker.errors import InputError

NOTHING = object()
OPTIONAL = [
    (name, each.name)
    for name in sorted(ACTIONS)
    if declaration(name).package == "tasks"
    for each in declaration(name).parameters.values()
    if not each.required and each.location in ("body", "aside")
]


def call_with(name: str, parameter: str, value: Any) -> dict[str, Any]:
    """A call that has everything else, so that this parameter is not what it needs."""
    calls = whole_calls(name)
    return {**next((each for each in calls if parameter not in each), calls[0]), parameter: value}


def sent(found: Declaration, given: dict[str, Any]) -> Any:
    body = found.request(found.bind(given, "key")).body
    return {} if found.multipart or body is None else json.loads(body)


def at(body: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(body, dict) or key not in body:
            return NOTHING
        body = body[key]
    return body


@for_each(OPTIONAL)
def test_a_parameter_given_its_own_default_makes_a_valid_call(name: str, parameter: str):
    found = declaration(name)
    told = found.parameters[parameter]
    given = call_with(name, parameter, told.default)
    assert told.default is None

    if found.method == "PATCH" and not told.nullable:
        with pytest.raises(InputError, match=f"'{parameter}' is None, and Klaviyo cannot clear it; leave it out"):
            found.bind(given)
    elif told.nullable and not (found.stamp and parameter in ("time", "unique_id")):
        assert at(sent(found, given), told.path) is None
    else:
        without = {key: value for key, value in given.items() if key != parameter}
        assert sent(found, given) == sent(found, without)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("bulk_subscribe_profiles", {"list_id": None}),
        ("bulk_import_profiles", {"list_ids": None}),
        ("bulk_suppress_profiles", {"list_id": None, "segment_id": None}),
        ("create_tag", {"tag_group_id": None}),
        ("create_object_type", {"object_schema": None}),
        ("create_object_schema", {"source_mapping": None, "object_type_id": None}),
        ("query_metric_aggregates", {"sort": None, "page_cursor": None}),
        ("render_template", {"context": None}),
        ("create_catalog_item", {"catalog_category_ids": None}),
        ("create_client_review", {"order_id": None}),
    ],
)
def test_what_klaviyo_takes_no_null_for_is_left_out(name: str, given: dict[str, Any]):
    bound = declaration(name).bind({**whole_calls(name)[0], **given})

    assert not {parameter for parameter in given if bound.get(parameter, NOTHING) is None}


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("update_catalog_item", "catalog_category_ids"),
        ("update_catalog_category", "item_ids"),
        ("update_campaign_message", "image_id"),
        ("update_webhook", "webhook_topic_ids"),
        ("update_mapped_metric", "metric_id"),
        ("update_mapped_metric", "custom_metric_id"),
    ],
)
def test_none_in_an_update_is_refused_where_nothing_can_be_cleared_by_it(name: str, parameter: str):
    with pytest.raises(InputError, match=f"parameter '{parameter}' is None"):
        declaration(name).bind({"id": "X1", parameter: None})


def test_none_is_null_where_klaviyo_takes_null():
    body = sent(declaration("update_profile"), {"id": "P1", "title": None, "location": None})

    assert body["data"]["attributes"] == {"title": None, "location": None}


def test_what_is_required_is_not_left_out_by_none():
    with pytest.raises(InputError, match="'list_id'"):
        declaration("add_profiles_to_list").bind({"list_id": None, "profile_ids": ["P1"]})
