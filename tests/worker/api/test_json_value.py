"""What JSON can carry is made plain; what it cannot is refused with its place, and its value is not told."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from worker.api.json_value import MAX_DEPTH, NotJson, _copy, json_value


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Plan(StrEnum):
    GOLD = "gold"


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Point(NamedTuple):
    x: int
    y: int


class Scalar:
    """As NumPy's scalars are."""

    dtype, ndim = "int64", 0

    def item(self) -> int:
        return 7


class Never(datetime):
    """As pandas' time that is none."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Text("text"), "text"),
        (Plan.GOLD, "gold"),
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (True, True),
        (Decimal("9.99"), 9.99),
        (Decimal(5), 5.0),
        (Fraction(1, 2), 0.5),
        (Scalar(), 7),
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({Plan.GOLD: 1, Text("b"): 2}, {"gold": 1, "b": 2}),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("日本", "日本"),
        (2**64 - 1, 2**64 - 1),
        (None, None),
    ],
)  # fmt: skip
def test_what_says_the_same_in_plain_types_is_carried(value: Any, plain: Any):
    (made,) = json_value([value])

    assert made == plain
    assert type(made) is type(plain)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"grace", "is of the type bytes, which JSON cannot carry; decode it, or give it in base64"),
        (bytearray(b"grace"), "is of the type bytearray"),
        (memoryview(b"grace"), "is of the type memoryview"),
        ({"grace"}, "is of the type set, which JSON cannot carry; give a list"),
        (frozenset({"grace"}), "is of the type frozenset"),
        (PurePosixPath("grace"), "is of the type PurePosixPath"),
        (timedelta(days=1), "is of the type timedelta"),
        (1j, "is of the type complex"),
        (object(), "is of the type object"),
        (iter(["grace"]), "is of the type list_iterator"),
        (math.nan, "is infinite or not a number"),
        (-math.inf, "is infinite or not a number"),
        (Decimal("NaN"), "is infinite or not a number"),
        (Decimal("sNaN"), "is infinite or not a number"),
        (Decimal("1e999"), "is infinite or not a number"),
        (Never(2026, 1, 2), "is of the type Never"),
        (2**64, "is a number of more than 64 bits"),
        ("grace \ud800", "has half of a character"),
        ({1: "grace"}, "has a key of the type int; JSON's keys are strings"),
        ({b"grace": 1}, "has a key of the type bytes"),
    ],
)  # fmt: skip
def test_what_json_cannot_carry_is_refused_with_its_place(value: Any, why: str):
    with pytest.raises(NotJson) as caught:
        json_value({"profiles": [{}, {"properties": {"photo": value}}]})

    assert f"parameter 'profiles.1.properties.photo' {why}" in str(caught.value)
    assert "grace" not in str(caught.value)


def test_what_is_nested_too_deeply_is_refused_though_it_could_be_written():
    deep: Any = 1
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]

    with pytest.raises(NotJson, match="deeper"):
        json_value({"deep": deep})


def test_what_is_plain_is_copied_as_step_by_step():
    rng = random.Random(1)
    leaves = [0, -1, 2**64 - 1, 0.1, -0.0, 1e22, 5e-324, True, None, "", "null", "é☺\x00", "a" * 99, [], {}]

    def made(depth: int) -> Any:
        kind = rng.random()
        if depth == 0 or kind < 0.4:
            return rng.choice(leaves)
        if kind < 0.7:
            return {rng.choice(["a", "é", "", "null"]): made(depth - 1) for _ in range(3)}
        return [made(depth - 1) for _ in range(3)]

    for value in ({"a": made(4)} for _ in range(200)):
        assert repr(json_value(value)) == repr(_copy(value)) == repr(value)


def test_what_holds_itself_is_refused_in_a_short_sentence():
    value: dict[str, Any] = {}
    value["self"] = [value]

    with pytest.raises(NotJson, match="is nested deeper than 200 levels, or contains itself") as caught:
        json_value({"properties": value})
    assert len(str(caught.value)) < 200


def test_what_is_made_holds_nothing_of_the_callers():
    given = {"a": [{"b": []}]}

    made = json_value(given)
    given["a"][0]["b"].append(1)

    assert made == {"a": [{"b": []}]}
