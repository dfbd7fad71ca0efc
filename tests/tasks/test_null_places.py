"""Wherever Klaviyo takes null, a call may give it: so a definition as a GET returns it can be written back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from cli.revision.outline import Outline, declared
from tests.cases import for_each
from tests.tasks.action_samples import declaration, smallest_call
from tests.tasks.body_mutants import TABLE, example, whole
from worker.api.body import Shape
from worker.api.body_leaves import Pointer
from worker.api.declaration import Declaration
from worker.api.wire import take
from worker.errors import InputError

#: All but the one that is a form.
ACTIONS = sorted(set(TABLE["bodies"]) - {"upload_image_from_file"})
#: What Klaviyo sets itself, or what a call is stamped with.
STAMPED = {"time", "unique_id"}


def nulls(shape: Shape, seen: set[str]) -> Iterator[tuple[Pointer, Any]]:
    """The smallest value with null in one place, for each place that takes it; what was ``seen`` not once more."""
    if isinstance(shape, str) and shape.startswith("#"):
        if shape in seen:
            return
        seen.add(shape)
    told, null = whole(shape)
    if null:
        yield (), None
    if not isinstance(told, dict):
        return
    if "items" in told:
        yield from (((0, *place), [value]) for place, value in nulls(told["items"], seen))
    elif "oneOf" in told:
        for each in told["oneOf"]:
            yield from nulls(each, seen)
    else:
        base = example(told)
        for key, each in told["keys"].items():
            yield from (((key, *place), {**base, key: value}) for place, value in nulls(each, seen))


def said(found: Declaration, body: Any) -> dict[str, Any]:
    """The call that sends this body, its parts written as they travel."""
    given = {}
    for parameter in sorted(found.parameters.values(), key=lambda each: -len(each.path)):
        if parameter.location == "body":
            there, value = take(body, parameter.path)
            if there:
                given[parameter.name] = value
    return given


def sent(found: Declaration, given: dict[str, Any]) -> Any:
    return json.loads(found.request(found.bind(given, "key")).body or b"null")


def stands(body: Any, place: Pointer) -> Any:
    for key in place:
        body = body[key]
    return body


def can_be_said(outline: Outline, place: Pointer) -> bool:
    """Whether a call can give null there: what is only there for what it holds is left out with it."""
    found = [outline]
    for key in place:
        forms = [form for each in found for form in each.forms]
        if any(form.kind == "object" and not form.keys for form in forms):
            return True  # free
        inside = [form.items if isinstance(key, int) else form.keys.get(key) for form in forms]
        found = [each for each in inside if each]
    return any(each.null is not None for each in found)


def among(base: Any, body: Any, place: Pointer) -> Any:
    """A body whose places beside this one are those of another, as far as that goes."""
    if not place or not isinstance(base, dict | list) or not base:
        return body
    key, *below = place
    if isinstance(base, list):
        return [among(base[0], body[0], tuple(below))]
    return {**body, **base, key: among(base.get(key), body[key], tuple(below))}


def whole_bodies(base: Any, body: Any, place: Pointer) -> Iterator[Any]:
    """The body, and with what a check asks for besides: somebody has to be named."""
    yield body
    yield among(base, body, place)
    for name, value in {"external_id": "E1", "phone_number": "+15005550006"}.items():
        made = deepcopy(among(base, body, place))
        stands(made, place[:-1])[name] = value
        yield made


@for_each(ACTIONS)
def test_null_is_taken_wherever_klaviyo_takes_it(name: str):
    found = declaration(name)
    outline, call = declared(found), smallest_call(name)
    base = sent(found, call)
    beside = {key: value for key, value in call.items() if found.parameters[key].location != "body"}

    for place, body in nulls(TABLE["bodies"][name], set()):
        if place[-1] in STAMPED or not can_be_said(outline, place):
            continue
        if name == "create_flow" and place[-1] == "id" and "triggers" not in place:
            continue  # what is new has none: test_round_trips has a look at it
        problems = []
        for each in whole_bodies(base, body, place):
            try:
                assert stands(sent(found, {**beside, **said(found, deepcopy(each))}), place) is None
                break
            except InputError as error:
                problems.append(str(error))
        else:
            pytest.fail(f"{place}: {problems}")
