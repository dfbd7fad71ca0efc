"""Every body against the shape that Klaviyo publishes for it: at the call, and by the sandbox, alike."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from action_samples import declaration, smallest_call, whole_calls
from body_mutants import OTHER, TABLE, Mutant, example, fits, mutants

from sandbox import bodies
from sandbox.errors import ApiError
from sandbox.operations import load
from worker.body import check_of
from worker.body_table import table, text
from worker.declaration import Declaration
from worker.errors import InputError
from worker.wire import put, take

#: All but the one that is a form.
ACTIONS = sorted(set(TABLE["bodies"]) - {"upload_image_from_file"})
OPERATIONS = load()
every_action = pytest.mark.parametrize("name", ACTIONS)


@cache
def all_mutated() -> dict[str, list[Mutant]]:
    """What several bodies have in common is gone into in the first of them."""
    seen: set[str] = set()
    return {name: list(mutants(TABLE["bodies"][name], example(TABLE["bodies"][name]), seen)) for name in ACTIONS}


def mutated(name: str) -> list[Mutant]:
    return all_mutated()[name]


def check(name: str, body: Any) -> list[Any]:
    found = check_of("tasks", name)
    assert found
    return list(found(body))


def refused_by_the_sandbox(name: str, body: Any) -> list[str]:
    try:
        bodies.document(OPERATIONS.by_id[name], orjson.dumps(body), example("string"))
    except ApiError as refused:
        assert refused.status == 400
        return [each["source"]["pointer"] for each in refused.errors]
    return []


@every_action
def test_what_has_the_shape_is_taken_and_all_else_is_refused(name: str):
    shape = TABLE["bodies"][name]

    for mutant in mutated(name):
        right = fits(mutant.value, shape)
        problems = check(name, mutant.value)

        assert mutant.fits in (None, right), mutant
        assert bool(problems) is not right, mutant
        if mutant.fits is False:
            assert any(each.place[: len(mutant.place)] == mutant.place for each in problems), (mutant, problems)
        assert OTHER not in str(problems)


@every_action
def test_the_sandbox_refuses_what_is_refused_at_the_call(name: str):
    for mutant in mutated(name):
        pointers = ["/" + "/".join(map(str, each.place)) for each in check(name, mutant.value)]

        assert refused_by_the_sandbox(name, mutant.value) == [each if each != "/" else "/data" for each in pointers]


def sent(name: str, call: dict[str, Any]) -> Any:
    found = declaration(name)
    return orjson.loads(found.request(found.bind(call)).body or b"null")


def said(found: Declaration, call: dict[str, Any], body: Any) -> dict[str, Any]:
    """The call that would send this body."""
    rest = deepcopy(body)
    given = {key: value for key, value in call.items() if found.parameters[key].place not in ("body", "aside")}
    for parameter in sorted(found.parameters.values(), key=lambda each: -len(each.path)):
        if parameter.place == "body":
            there, value = take(rest, parameter.path)
            if there:
                given[parameter.name] = None if value is None else parameter.shape.parse(value)
    return given


def broken_calls(name: str) -> Iterator[tuple[Mutant, dict[str, Any]]]:
    """Calls that are wrong in one place of what a parameter holds."""
    found, shape = declaration(name), TABLE["bodies"][name]
    paths = [each.path for each in found.parameters.values() if each.place == "body"]
    for call in (smallest_call(name), *whole_calls(name)):
        body = sent(name, {key: value for key, value in call.items() if found.parameters[key].place != "aside"})
        if body is None:
            continue
        for mutant in mutants(shape, body, set()):
            if any(mutant.place[: len(path)] == path for path in paths) and not fits(mutant.value, shape):
                yield mutant, said(found, call, mutant.value)
