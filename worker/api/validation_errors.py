"""Pydantic's errors about a call's parameters, as sentences that never repeat a value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.api.body_leaves import Pointer
from worker.api.parameters import Params


def explain_errors(errors: Sequence[Any], params: Params) -> Iterator[str]:
    """One sentence for each place that is wrong; where a union has alternatives, what each of them expects."""
    said: dict[str, dict[str, None]] = {}
    for error in errors:
        pointer, wrong = _explain(error, params)
        said.setdefault(pointer, {})[wrong] = None
    for pointer, wrongs in said.items():
        facts = [each for each in wrongs if each.startswith(("is ", "has "))]
        yield from (f"parameter {pointer!r} {each}" for each in facts)
        if others := [each for each in wrongs if each not in facts]:
            yield f"parameter {pointer!r}: {', or '.join(others)}"


def _explain(error: Any, params: Params) -> tuple[str, str]:
    """The pointer of one of pydantic's errors, and what is wrong there."""
    loc, context = error["loc"], error.get("ctx", {})
    if loc[-1:] == ("[key]",):
        return _pointer(loc[:-2], params), "has a key that is not a string; JSON's keys are strings"
    pointer = _pointer(loc, params)
    if error["type"] == "missing":
        return pointer, "is missing"
    if error["type"] == "union_tag_not_found":
        return ".".join((pointer, context["discriminator"].strip("'"))), "is missing"
    if error["type"] == "union_tag_invalid":
        return pointer, f"its {context['discriminator']} is none of {context['expected_tags']}"
    if error["type"] == "extra_forbidden":
        return pointer, "is not known"
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        text = f"input should be {_shorten(context['expected'])}"
    return pointer, f"{text[0].lower()}{text[1:]}"


def _pointer(loc: Pointer, params: Params) -> str:
    return ".".join(map(str, _readable_pointer(loc, params))) or "the call"


def _readable_pointer(loc: Pointer, value: Any) -> Iterator[str | int]:
    """The keys that lead to what is wrong, without the names of the union members that pydantic tried."""
    for number, part in enumerate(loc, 1):
        there = isinstance(value, Mapping) and part in value
        if there or (isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)):
            value = value[part]
            yield part
        elif isinstance(value, Mapping) and number == len(loc):
            yield part


def _shorten(expected: str) -> str:
    values = re.split(r", | or ", expected)
    return expected if len(values) <= 15 else f"{', '.join(values[:15])} and {len(values) - 15} more"
