"""Every parameter of the document that the project implements, in both spellings, lands where Klaviyo expects it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import rules
from tests.cases import for_each
from tests.tasks.action_samples import NAMES, ROWS, declaration, sample_at, smallest_call
from worker.action import ACTIONS, NAMES_2024
from worker.errors import InputError

CASES = [(row["name"], *parameter) for row in ROWS for parameter in row["parameters"]]


@pytest.fixture(autouse=True)
def _one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "new_id", lambda: "id-1")


def sent(name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any], Any]:
    """Path, query and body of a call."""
    found = declaration(name)
    request = found.request(found.bind(given))
    return request.path, dict(request.query), json.loads(request.body) if request.body else None


def at(place: str, path: str, query: dict[str, Any], body: Any) -> Any:
    kind, _, where = place.partition(":")
    if kind == "path":
        return path
    if kind == "query":
        return query[where]
    for key in where.split("."):
        body = body[key]
    return body


def nested(base: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """The call with a value at a dotted path, everything beside it kept."""
    first, *rest = keys
    return {**base, first: nested(base.get(first) or {}, rest, value) if rest else value}


def without(base: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    first, *rest = keys
    if not rest or first not in base:
        return {key: value for key, value in base.items() if key != first}
    return {**base, first: without(base[first], rest)}


def flattened(name: str, base: dict[str, Any], keys: list[str], flat: str, value: Any) -> dict[str, Any]:
    """The call with the flat name; what is inside the same parameter is spelled flat too, since one may not mix."""
    others = without(base, keys)
    inside = others.pop(keys[0], None) if len(keys) > 1 else None
    names = {alias.keys: each for each, alias in declaration(name).aliases.items() if getattr(alias, "keys", None)}
    return {**others, **{names[(keys[0], key)]: each for key, each in (inside or {}).items()}, flat: value}


def test_the_tables_hold_every_action_of_the_document():
    assert len(NAMES) == len(set(NAMES)) == 231
    assert set(NAMES) <= set(ACTIONS)


@for_each((row["name"], row["name_2024"]) for row in ROWS)
def test_the_name_of_2024_leads_to_the_same_action(name: str, name_2024: str):
    assert name_2024 == name or NAMES_2024[name_2024] == name


#: What is translated, and the form of an upload, have tests of their own: test_campaigns, test_images.
ELSEWHERE = ("constant", "dropped", "translated", "form")
PLACED = [case for case in CASES if case[3].partition(":")[0] not in ELSEWHERE and "=" not in case[2]]


@for_each(PLACED)
def test_a_parameter_lands_at_its_place_in_either_spelling(name: str, flat: str, readable: str, place: str):
    keys = readable.split(".")
    base = smallest_call(name, without=keys[0] if len(keys) == 1 else "")
    value = sample_at(name, keys)

    plain = sent(name, nested(base, keys, value))
    other = sent(name, flattened(name, base, keys, flat, value))

    assert plain == other
    if place.startswith("lookup:"):
        return
    landed = at(place, *plain)
    if place.startswith("path:"):
        assert value in landed.split("/")
    elif place.startswith("query:"):
        assert landed == (",".join(value) if isinstance(value, list) else str(value))
    elif isinstance(landed, list) and isinstance(landed[0], dict) and "type" in landed[0]:
        # Resources and linkages; what is inside of them is the concern of test_openapi.
        assert [each.get("id", value[0]) for each in landed] == [
            each if isinstance(each, str) else each.get("id", value[0]) for each in value
        ]
    else:
        assert landed == value


ADDED = [case for case in CASES if "=" in case[2]]


@for_each(ADDED)
def test_a_yes_or_no_parameter_adds_a_value_to_a_list(name: str, flat: str, readable: str, place: str):
    parameter, value = readable.split("=")

    base = smallest_call(name)
    plain = sent(name, {**base, parameter: [value]})

    assert plain == sent(name, {**base, flat: True})
    assert sent(name, {**base, flat: False}) == sent(name, base)
    assert at(place, *plain) == value


CONSTANT = [case for case in CASES if case[3] == "constant"]


@for_each(CONSTANT)
def test_a_constant_is_accepted_checked_and_not_needed(name: str, flat: str, readable: str, place: str):
    base = smallest_call(name)
    constant = declaration(name).aliases[flat].constant  # type: ignore[union-attr]

    assert sent(name, {**base, flat: constant}) == sent(name, base)
    with pytest.raises(InputError, match="is always"):
        declaration(name).bind({**base, flat: "another"})


DROPPED = [case for case in CASES if case[3] == "dropped"]


@for_each(DROPPED)
def test_a_parameter_that_klaviyo_removed_is_accepted_and_left_out(name: str, flat: str, readable: str, place: str):
    base = smallest_call(name)

    assert sent(name, {**base, flat: "x1"}) == sent(name, base)
    assert sent(name, nested(base, readable.split("."), "x1")) == sent(name, base)
