"""What is remembered of a kind of calls is which keys they have, never that a value is right."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.events import create_event
from worker.api.body import Node
from worker.api.body_leaves import Problem
from worker.api.kinds import Kinds

RIGHT: dict[str, Any] = {"metric": "M", "profile": {"email": "ada@example.com"}, "value": 7, "properties": {}}
PROBLEM = Problem((), "wrong", "is wrong")


def made(max_body: int = 1_000) -> Kinds:
    """Kinds of a Klaviyo that takes everything but "bad"."""
    node = Node(frozenset(), lambda value: [PROBLEM] if value == "bad" else ())
    return Kinds(create_event.declaration.parameters, lambda place: node, max_body, ())


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({}, True),
        ({"metric": "Other", "value": None, "properties": {"a": [1]}}, True),
        ({"profile": {"email": "grace@example.com"}}, True),
        ({"metric": "bad"}, False),
        ({"profile": {"email": "bad"}}, False),
        ({"profile": {"email": "ada@example.com", "id": "01"}}, False),
        ({"profile": {}}, False),
        ({"profile": None}, False),
        ({"profile": ["email"]}, False),
        ({"backfill": True}, False),
        ({"metric": "a" * 1_000}, False),
    ],
)
def test_a_call_fits_where_it_differs_from_one_that_was_right_in_right_values_only(changed, fits):
    kinds = made()
    kinds.learn(RIGHT, 200)

    assert kinds.fits({**RIGHT, **changed}) == fits


def test_what_depends_on_its_neighbours_is_looked_at_with_them():
    kinds = Kinds(create_event.declaration.parameters, lambda place: None, 1_000, ())
    kinds.learn(RIGHT, 200)

    assert not kinds.fits(RIGHT)


@pytest.mark.parametrize(
    "given", [{"metrics": "M"}, {"metric": None}, {"profile": {"type": "profile"}}, {"profile": {"location": {}}}]
)
def test_only_plain_names_with_plain_values_are_taken_as_they_are(given):
    assert made().plain(RIGHT) == RIGHT
    assert made().plain({**RIGHT, **given}) is None
