"""What a call's parameters must be beside valid: no null, no empty id, no item too large, no unknown key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ConfigDict, Field, create_model

from worker.api.body_leaves import Problem
from worker.api.json_value import json_value
from worker.api.parameters import Parameter, Params
from worker.api.wire import Place


def leave_out_nulls(params: Params, parameters: Mapping[str, Parameter], *, updates: bool) -> Iterator[str]:
    """Leave out what is None where Klaviyo takes no null, as its declared default does.

    In an update that could be taken for clearing it, which nothing does.
    """
    for name in [name for name, value in params.items() if value is None]:
        parameter = parameters[name]
        if parameter.place != "body" or parameter.required or parameter.nullable:
            continue
        if updates:
            yield f"parameter {name!r} is None, and Klaviyo cannot clear it; leave it out to keep what is there"
        else:
            del params[name]


def empty_ids(params: Params, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """What would make another address of this one: without its id, that of a record is that of all of them."""
    for name, value in params.items():
        if parameters[name].place == "path" and str(value).strip() in ("", ".", ".."):
            yield f"parameter {name!r} is empty, or dots: it has to be an id"


def model_of(action: str, parameters: Mapping[str, Parameter]) -> Any:
    """The pydantic model that an action's parameters are validated by."""
    return create_model(
        action,
        __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True),
        **{
            f"p_{name}": (each.annotation, Field(... if each.required else None, alias=name))
            for name, each in parameters.items()
        },  # type: ignore[call-overload]
    )


def validated(params: Params, model: Any) -> Params:
    """The parameters as JSON values.

    Raises:
        ValidationError: a parameter is missing, or not of its type.
        NotJson: JSON cannot carry a value.

    """
    # Not `model_dump`: it warns, with the value, where a validator has let through more than its annotation says.
    valid = model.model_validate(params).__dict__
    plain: Params = json_value({name: valid[f"p_{name}"] for name in params})
    return plain


def large_items(params: Params, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Which items of a list are larger than Klaviyo takes."""
    for name, value in params.items():
        allowed = parameters[name].item_bytes
        if allowed is None or not isinstance(value, list):
            continue
        render = parameters[name].shape.render
        sizes = [len(orjson.dumps(item)) for item in render(value)]
        if wrong := [str(place) for place, size in enumerate(sizes) if size > allowed]:
            yield f"items {', '.join(wrong[:5])} of {name!r} are over {allowed:,} bytes"


def body_sentence(problem: Problem, parameters: Mapping[str, Parameter]) -> str:
    """What is wrong at a place of the body, told of the parameter that leads there."""
    return f"parameter {'.'.join(map(str, _plain_place(problem.place, parameters)))!r} {problem.said}"


def _plain_place(place: Place, parameters: Mapping[str, Parameter]) -> Place:
    """How the caller gets to a place of the body."""
    found = [each for each in parameters.values() if each.place == "body"]
    for each in found:
        if place[: len(each.path)] == each.path:
            return (each.name, *each.shape.plain(place[len(each.path) :]))
    # Nothing is where some parameter would have put something.
    return next(((each.name,) for each in found if each.path[: len(place)] == place), place)
