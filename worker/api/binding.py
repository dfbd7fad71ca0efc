"""The steps by which a call's parameters are checked, in the order in which `Declaration.bind` takes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ConfigDict, Field, create_model

from worker.api.body_leaves import Pointer, Problem
from worker.api.json_value import json_value
from worker.api.parameters import Parameter, Params


def drop_nulls(params: Params, parameters: Mapping[str, Parameter], *, updates: bool) -> Iterator[str]:
    """Drop parameters that are None where Klaviyo takes no null, as their defaults are.

    An update might mean to clear the field, which is not possible: there each is a problem.
    """
    for name in [name for name, value in params.items() if value is None]:
        parameter = parameters[name]
        if parameter.location != "body" or parameter.required or parameter.nullable:
            continue
        if updates:
            yield f"parameter {name!r} is None, and Klaviyo cannot clear it; leave it out to keep what is there"
        else:
            del params[name]


def empty_id_problems(params: Params, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Refuse ids that would change the path: without its id, the path of one record is that of all of them."""
    for name, value in params.items():
        if parameters[name].location == "path" and str(value).strip() in ("", ".", ".."):
            yield f"parameter {name!r} is empty or consists of dots; it has to be an id"


def model_of(action: str, parameters: Mapping[str, Parameter]) -> Any:
    """The pydantic model that validates an action's parameters."""
    return create_model(
        action,
        __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True),
        **{
            f"p_{name}": (each.annotation, Field(... if each.required else None, alias=name))
            for name, each in parameters.items()
        },  # type: ignore[call-overload]
    )


def validate(params: Params, model: Any) -> Params:
    """The parameters as JSON values.

    Raises:
        ValidationError: a parameter is missing, or not of its type.
        NotJson: JSON cannot carry a value.

    """
    # Not `model_dump`: it warns, with the value, where a validator has let through more than its annotation says.
    valid = model.model_validate(params).__dict__
    plain: Params = json_value({name: valid[f"p_{name}"] for name in params})
    return plain


def item_size_problems(params: Params, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Name the items of a list that are larger than Klaviyo takes."""
    for name, value in params.items():
        allowed = parameters[name].item_bytes
        if allowed is None or not isinstance(value, list):
            continue
        render = parameters[name].codec.render
        sizes = [len(orjson.dumps(item)) for item in render(value)]
        if wrong := [str(index) for index, size in enumerate(sizes) if size > allowed]:
            yield f"items {', '.join(wrong[:5])} of {name!r} are over {allowed:,} bytes"


def explain(problem: Problem, parameters: Mapping[str, Parameter]) -> str:
    """A problem in the body as a sentence about the parameter that it came from."""
    return f"parameter {'.'.join(map(str, _plain_pointer(problem.pointer, parameters)))!r} {problem.message}"


def _plain_pointer(pointer: Pointer, parameters: Mapping[str, Parameter]) -> Pointer:
    """The parameter and keys by which a caller reaches a place in the body."""
    found = [each for each in parameters.values() if each.location == "body"]
    for each in found:
        if pointer[: len(each.path)] == each.path:
            return (each.name, *each.codec.plain(pointer[len(each.path) :]))
    # Nothing stands there: name the parameter that would have put something there.
    return next(((each.name,) for each in found if each.path[: len(pointer)] == pointer), pointer)
