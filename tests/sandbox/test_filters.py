"""The filter language, without a server."""

import pytest

from sandbox.errors import ApiError
from sandbox.reading.filters import Condition, matches, parse
from worker.api.filter_fields import Filterable

ALLOWED = {
    "email": Filterable.parse("string", "any[] equals"),
    "name": Filterable.parse("string", "contains starts-with"),
    "updated": Filterable.parse("date-time", "greater-than less-than"),
    "archived": Filterable.parse("boolean", "equals"),
    "tags": Filterable.parse("string", "contains-all[] has"),
}


def passes(text: str, **record: object) -> bool:
    return matches(parse(text, ALLOWED), record.get)


def test_conditions_are_joined_by_a_comma_or_by_and() -> None:
    expected = [Condition("equals", "email", ("a@b.c",)), Condition("equals", "archived", (False,))]
    assert parse('equals(email,"a@b.c"),equals(archived,false)', ALLOWED) == expected
    assert parse("and(equals(email,'a@b.c'),equals(archived,false))", ALLOWED) == expected


def test_a_quoted_value_may_hold_commas_brackets_and_escaped_quotes() -> None:
    assert parse(r'any(email,["a,)b","say \"hi\""])', ALLOWED)[0].values == ("a,)b", 'say "hi"')


@pytest.mark.parametrize("moment", ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00+01:00", "2026-01-01T01:00:00"])
def test_times_compare_correctly_whatever_their_offset(moment: str) -> None:
    assert passes(f"greater-than(updated,{moment})", updated="2026-01-01T01:00:01+00:00")
    assert not passes(f"greater-than(updated,{moment})", updated="2026-01-01T01:00:00+00:00")


def test_a_fraction_of_a_second_is_later_than_its_second() -> None:
    assert not passes("greater-than(updated,2026-01-01T01:00:00.500Z)", updated="2026-01-01T01:00:00+00:00")


def test_text_is_compared_without_regard_to_case() -> None:
    assert passes('equals(email,"ADA@example.com")', email="ada@example.com")
    assert passes('contains(name,"vip")', name="Our VIPs")


def test_contains_all_wants_every_value_and_has_wants_any() -> None:
    assert passes('contains-all(tags,["a","b"])', tags=["a", "b", "c"])
    assert not passes('contains-all(tags,["a","d"])', tags=["a", "b", "c"])
    assert passes("has(tags)", tags=["a"])
    assert not passes("has(tags)")


@pytest.mark.parametrize(
    "text",
    [
        "equals(phone,1)",
        'contains(email,"a")',
        "equals(email,unquoted)",
        "equals(email,1)",
        'equals(email,["a"])',
        'any(email,"a")',
        'greater-than(updated,"2026-01-01T00:00:00Z")',
        'equals(archived,"yes")',
        'equals(email,"a"',
        'equals(email "a")',
        'equals(email,"a") or more',
        'or(equals(email,"a"),equals(email,"b"))',
        ",",
        "any(email,[])",
    ],
)
def test_what_cannot_be_read_or_is_not_supported_is_a_400_that_names_the_filter(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(text, ALLOWED)
    assert refused.value.status == 400
    assert refused.value.errors[0]["source"] == {"parameter": "filter"}
