"""A call of a kind that was seen before is taken, or refused, as the first one of its kind is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tasks import rules
from tests.tasks.action_samples import NOW, declaration, smallest_call, whole_calls
from worker.action import ACTIONS
from worker.api.declaration import Declaration
from worker.errors import InputError

ALL = sorted(name for name in ACTIONS if declaration(name).package == "tasks")

#: What may stand where something else should.
ODD: list[Any] = [
    None, "", "x1", "\ud800", "2026-01-02T03:04:05+00:00", 7, 2**70, 1.5, float("nan"), True, Decimal("2.5"), [], (7,),
    ["x1"], {}, {"a": 1}, {"type": "profile", "attributes": {"email": "ada@example.com"}}, {7: "x1"},
    datetime(2026, 1, 2, tzinfo=UTC),
]  # fmt: skip


class NeverSeen:
    """In place of the kinds of an action: every call is the first of its kind."""

    def plain(self, given: object) -> None:
        return None

    def fits(self, params: object) -> bool:
        return False

    def learn(self, params: object, size: int) -> None:
        pass


@pytest.fixture(autouse=True)
def at_one_moment(monkeypatch):
    monkeypatch.setattr(rules, "now", lambda: NOW)


def unlearned(found: Declaration) -> Declaration:
    made = replace(found)
    made.__dict__["_kinds"] = NeverSeen()
    return made


def told(found: Declaration, given: dict[str, Any]) -> Any:
    """What a call comes to: its parameters, or what is wrong with it."""
    try:
        return found.bind(given, "key")
    except InputError as error:
        return str(error)


def changed(given: dict[str, Any], odd: list[Any]) -> Iterator[dict[str, Any]]:
    """The call with one of its values, or of those inside them, replaced, left out or moved to the end."""
    for name, value in given.items():
        rest = {key: each for key, each in given.items() if key != name}
        yield rest
        yield {**rest, name: value}
        yield from ({**given, name: each} for each in odd)
        if type(value) is dict:
            yield from ({**given, name: inside} for inside in changed(value, odd))
            yield {**given, name: {**value, "emial": "x1"}}


def calls(name: str) -> list[dict[str, Any]]:
    """Calls of an action, with few parameters and with all."""
    found, small = declaration(name), smallest_call(name)
    plain = {key: each for key, each in whole_calls(name)[0].items() if type(each) is not list}
    return [small, plain] if told(unlearned(found), plain) != small else [small]


@pytest.mark.parametrize("part", range(8))
def test_a_call_of_a_kind_that_was_seen_is_checked_as_the_first_one_is(part):
    for name in ALL[part::8]:
        known, reference = replace(declaration(name)), unlearned(declaration(name))
        odd = ODD if name in ("create_event", "create_profile") else ODD[len(name) % 5 :: 5]
        for given in calls(name):
            for call in (given, *changed(given, odd)):
                expected = told(reference, call)

                assert told(known, call) == expected, (name, call)
                assert told(known, call) == expected, (name, call)


def test_most_actions_know_the_kind_of_their_smallest_call():
    known = 0
    for name in ALL:
        found = replace(declaration(name))
        found.bind(smallest_call(name), "key")
        known += found._kinds.fits(found.bind(smallest_call(name), "key"))

    assert known > 0.75 * len(ALL)


def test_a_request_over_klaviyos_size_is_refused_whatever_was_seen_before():
    def event(size):
        return {"metric": "M", "profile": {"email": "ada@example.com"}, "properties": {"a": "é" * size}}

    whole = declaration("create_event")
    size = len(whole.request(whole.bind(event(50), "key")).body)
    found = replace(whole, max_body=size)
    for _ in range(2):
        found.bind(event(1), "key")
    found.bind(event(50), "key")

    with pytest.raises(InputError, match=f"the request is {size + 2:,} bytes"):
        found.bind(event(51), "key")
