"""What means the same in another type is taken as that, in every action: nothing is warned of, and no value told."""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from tests.tasks.action_samples import declaration, whole_calls
from worker.action import ACTIONS

ALL = sorted(name for name in ACTIONS if declaration(name).package == "tasks")


class Text(str):
    __slots__ = ()


def as_member(value: Any) -> Any:
    return Enum("Choice", {"CHOSEN": value}, type=str).CHOSEN if type(value) is str else value  # type: ignore[attr-defined]


def as_time(value: Any) -> Any:
    if value == "2026-01-02T03:04:05+00:00":
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return date.fromisoformat(value) if value == "1990-01-02" else value


NEIGHBOURS: dict[str, Callable[[Any], Any]] = {
    "an integer for a float": lambda value: int(value) if type(value) is float and value.is_integer() else value,
    "an integral float for an integer": lambda value: float(value) if type(value) is int else value,
    "a decimal for a number": lambda value: Decimal(str(value)) if type(value) in (int, float) else value,
    "a subclass of str": lambda value: Text(value) if type(value) is str else value,
    "a member of an enumeration": as_member,
    "a datetime or a date for text": as_time,
    "a tuple for a list": lambda value: tuple(value) if type(value) is list else value,
    "another mapping": lambda value: OrderedDict(value) if type(value) is dict else value,
}


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """The value with everything in it changed."""
    if isinstance(value, dict):
        value = {key: changed(each, change) for key, each in value.items()}
    elif isinstance(value, list):
        value = [changed(each, change) for each in value]
    return change(value)


def sent(name: str, given: dict[str, Any]) -> Any:
    found = declaration(name)
    bound = found.bind(given, "key")
    request = found.request(bound)
    # A form has another boundary each time.
    body = bound if found.multipart else json.loads(request.body or b"null")
    return request.path, dict(request.query), body


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_a_benign_neighbour_of_every_type_is_taken_without_a_word(neighbour: str):
    for name in ALL:
        for given in whole_calls(name):
            other = {key: changed(each, NEIGHBOURS[neighbour]) for key, each in given.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("error")

                assert sent(name, other) == sent(name, given), name


def test_degrees_as_integers_travel_as_they_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        _, _, body = sent("create_profile", {"email": "a@example.com", "location": {"latitude": 7, "longitude": 8}})

    assert body["data"]["attributes"]["location"] == {"latitude": 7, "longitude": 8}
