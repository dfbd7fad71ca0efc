"""Every body against the shape that Klaviyo publishes for it: at the call, and by the sandbox, alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson

from sandbox.errors import ApiError
from sandbox.front import bodies
from sandbox.operations import load
from tests.cases import for_each
from tests.tasks.action_samples import declaration, whole_calls
from tests.tasks.body_mutants import OTHER, TABLE, Mutant, example, fits, mutants
from worker.api.body import check_of
from worker.api.declaration import Declaration
from worker.api.wire import take
from worker.errors import InputError

#: All but the one that is a form.
ACTIONS = sorted(set(TABLE["bodies"]) - {"upload_image_from_file"})
OPERATIONS = load()
#: How deep calls are made wrong: as deep as a key of a flow's message. Below that, it is the body's check alone.
DEEP = 10
every_action = for_each(ACTIONS)


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
        bodies.parse_document(OPERATIONS.by_id[name], orjson.dumps(body), example("string"))
    except ApiError as refused:
        return [each["source"]["pointer"] for each in refused.errors]
    return []


@every_action
def test_what_has_the_shape_is_taken_and_all_else_is_refused(name: str):
    shape = TABLE["bodies"][name]

    for mutant in mutated(name):
        problems = check(name, mutant.value)

        # Between the two: what only a kind would take that does not know all of its keys.
        assert problems or fits(mutant.value, shape), mutant
        assert not problems or not fits(mutant.value, shape, strict=True), mutant
        if mutant.fits:
            assert not problems, mutant
        if mutant.fits is False:
            assert any(each.pointer[: len(mutant.place)] == mutant.place for each in problems), (mutant, problems)
        assert OTHER not in str(problems)


@every_action
def test_the_sandbox_refuses_what_is_refused_at_the_call(name: str):
    for mutant in mutated(name):
        pointers = ["/" + "/".join(map(str, each.pointer)) for each in check(name, mutant.value)]

        assert refused_by_the_sandbox(name, mutant.value) == [each if each != "/" else "/data" for each in pointers]


def said(found: Declaration, call: dict[str, Any], body: Any) -> dict[str, Any]:
    """The call that would send this body."""
    rest = orjson.loads(orjson.dumps(body))
    given = {key: value for key, value in call.items() if found.parameters[key].location not in ("body", "aside")}
    for parameter in sorted(found.parameters.values(), key=lambda each: -len(each.path)):
        if parameter.location == "body":
            there, value = take(rest, parameter.path)
            if there:
                given[parameter.name] = None if value is None else parameter.codec.parse(value)
    return given


def broken_calls(name: str, seen: set[str]) -> Iterator[tuple[Mutant, dict[str, Any]]]:
    """Calls that are wrong in one place of what a parameter holds."""
    found, shape = declaration(name), TABLE["bodies"][name]
    paths = [each.path for each in found.parameters.values() if each.location == "body"]
    for call in whole_calls(name):
        whole = {key: value for key, value in call.items() if found.parameters[key].location != "aside"}
        body = orjson.loads(found.request(found.bind(whole)).body or b"")
        for mutant in mutants(shape, body, seen):
            inside = len(mutant.place) <= DEEP and any(mutant.place[: len(path)] == path for path in paths)
            if inside and not fits(mutant.value, shape):
                yield mutant, said(found, call, mutant.value)


def test_no_call_publishes_a_body_that_klaviyo_would_refuse():
    seen: set[str] = set()
    refused: list[str] = []
    mended = 0

    for name in ACTIONS:
        found = declaration(name)
        for mutant, call in broken_calls(name, seen):
            try:
                params = found.bind(call)
            except InputError as error:
                refused.append(str(error))
            else:
                # An id without its type, say: what is sent has it. And None that is left out.
                mended += 1
                assert fits(orjson.loads(found.request(params).body or b""), TABLE["bodies"][name]), (name, mutant)

    assert len(refused) > 25 * mended > 0
    assert not [each for each in refused if OTHER in each]
